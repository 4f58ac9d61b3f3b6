"""Dunning streams: asks a customer, kindly and in time, to fix a payment."""
