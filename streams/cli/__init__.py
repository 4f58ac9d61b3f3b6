"""The `dunning` command."""
