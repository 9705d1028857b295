"""What was posted is corrected by further transfers: reversals, adjustments, and rows taken back."""
