"""What can be seen of the running process from outside: metrics, health, traces."""
