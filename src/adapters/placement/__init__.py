"""Outside agencies: the files that tell them of accounts, how these reach them, and what comes back."""
