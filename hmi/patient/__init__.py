"""Figures and report of the patient scenario."""
