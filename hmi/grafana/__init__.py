"""Grafana dashboards as code: generated from a plant's variables, so that a new tag appears by itself."""
