"""Histories in virtual time: simulate, publish, synthesise."""
