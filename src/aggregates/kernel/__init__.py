"""What every aggregate is made of: events, commands, decisions, their context, and who acts."""
