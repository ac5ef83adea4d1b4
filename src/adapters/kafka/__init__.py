"""Kafka: the log for other services, and for our own in the cluster."""
