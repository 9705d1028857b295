"""Files: an inbound object becomes rows, rows become outcomes, outcomes become a receipt and rejects."""
