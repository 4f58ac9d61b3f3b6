"""Tests of the engine, with the job and the harness that they share."""
