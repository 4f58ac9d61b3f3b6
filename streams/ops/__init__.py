"""What those who run it look at: metrics and health."""
