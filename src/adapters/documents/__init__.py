"""Papers for customers as PDF: letters, statements, copies of invoices."""
