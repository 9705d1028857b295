"""What a program's terms do by themselves: grants, increases, expiry, and the end of a member's time."""
