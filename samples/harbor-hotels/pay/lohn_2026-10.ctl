{
  "rows": 63,
  "sum": "1700.40",
  "sha256": "1bb6c3703d35bd18a3a7b22e0672d1dd06697734e7d49fb9f85e195c8d3a824b"
}
