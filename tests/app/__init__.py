"""The whole worker, on a real Kafka."""
