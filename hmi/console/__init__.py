"""Operator console: one web page a reactor, which speaks JSON to the controller's gateway."""
