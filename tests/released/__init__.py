"""What each release has kept of customers and partitions is read by this one."""
