"""What deploy/ says, against the tools that read it and against the code."""
