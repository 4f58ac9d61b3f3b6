"""The agents' desk over one partition, without Kafka."""
