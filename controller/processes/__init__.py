"""Processes: one folder each, with its equations, priors, recipe, configuration and simulated plant."""

from controller.processes.finding import find, is_folder, reference, shipped
from controller.processes.process import Process

__all__ = ["Process", "find", "is_folder", "reference", "shipped"]
