"""Contact rules: law and house policy of one contact, as one table, independent of accounts."""
