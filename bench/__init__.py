"""Measures the engine against other stream processors on one machine; start reading at ``run``."""
