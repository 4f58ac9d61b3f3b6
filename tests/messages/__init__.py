"""Tests of the contract, with the strategies that they share."""
