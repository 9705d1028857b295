"""What is known of one arrival: its row, its turn, why it or a row of it is refused, and what takes it back."""
