"""The contract: Avro to domain and back, headers, dead letters."""
