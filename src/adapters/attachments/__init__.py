"""Files of accounts: looked at when they come in, encrypted, and kept outside of the database."""
