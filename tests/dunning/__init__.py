"""Tests of `streams.dunning`."""
