"""What any door may ask for: to issue a command, to ask a question, to import, to live through a history."""
