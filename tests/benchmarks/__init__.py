"""What is promised about speed and memory, measured beside its peer in the same run: ./dev bench [NAME…]."""
