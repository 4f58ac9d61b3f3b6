"""What a deployment needs around the workers: topics, rights on Kafka, and the files that declare them."""
