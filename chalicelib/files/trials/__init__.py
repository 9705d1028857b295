"""Large files are tried, and compared under other rules, part by part by the workers."""
