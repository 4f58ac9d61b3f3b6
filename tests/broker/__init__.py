"""Tests of `streams.broker`."""
