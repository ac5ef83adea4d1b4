"""Carriers that reach customers, one class a file, and what the environment says about them."""
