"""Benchmarks: what NeuroCore is measured by, against simulated plants and beside its comparators."""
