"""Tests of `streams.lab`."""
