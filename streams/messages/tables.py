"""The names of the tables. A changelog topic has its table's name in it, so none may ever change."""

CUSTOMERS = "customers"
"""One value for each customer: all that is kept of them."""
PARTITIONS = "partitions"
"""One value for each partition: its clock, its counts, the policies it has gone by."""
POLICIES = "policies"
"""The published policies."""

OUTCOMES = "outcomes"
"""What has been counted, by group; summed over partitions it is what `dunning report` reads."""

OFFERS = "offers"
"""One value for each partition: its shares of the totals of offers."""

TABLES = (CUSTOMERS, PARTITIONS, POLICIES, OUTCOMES, OFFERS)
