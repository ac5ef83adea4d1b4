"""Billing files: from a CSV or XLSX and a mapping profile to typed, checked, staged facts, and the reject file."""
