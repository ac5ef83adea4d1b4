"""Web pages: the collections report, an account, campaigns; plain HTML that needs no JavaScript and no network."""
