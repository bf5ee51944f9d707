"""Advice on an SSRI: constraints, guidelines, reviews and the stability score."""
