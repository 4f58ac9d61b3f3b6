"""A synthetic biller, its customers, and the services that send messages: a world to try policies in."""

from streams.lab.biller.biller import SyntheticBiller

__all__ = ["SyntheticBiller"]
