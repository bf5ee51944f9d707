"""Reference scenarios that an installation may leave out: whoever deletes their packages keeps everything else."""

from __future__ import annotations

from importlib.util import find_spec


def patient_is_installed() -> bool:
    """Whether the patient's packages are there; it is found out without importing them."""
    return all(find_spec(name) is not None for name in ("controller.patient", "hmi.patient"))
