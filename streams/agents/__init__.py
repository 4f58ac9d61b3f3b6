"""Faust agents: decode, ask the domain, keep, emit."""
