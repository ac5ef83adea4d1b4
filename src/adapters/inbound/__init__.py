"""What comes from customers and carriers: webhooks, mailboxes, and whose account it is about."""
