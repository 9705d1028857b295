"""Files that partners are to send by a calendar, and the alarms when they do not."""
