"""Small programs, each measuring one thing; each prints a table and writes JSON for RESULTS.md."""
