"""One program per contender and job; each is given an `Assignment` and runs until SIGTERM."""
