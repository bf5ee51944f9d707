"""The display of a patient: its channels with their names and spans, and the names of the twin's states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.data.samples import Sample
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.snapshots import PLANT, START
from twin.signals import Assay, Plant, Role, Variable

LEVEL = Variable("level", "ng/mL", 0.0, 100.0, Role.ASSAYED, "Drug concentration")
SPANS = {  # what is usual at rest and in daily life: the length of the bars (design)
    "heart_rate": (40.0, 160.0),
    "spo2": (88.0, 100.0),
    "temperature": (32.0, 42.0),
    "steps": (0.0, 5000.0),
    "heart_rate_variability": (0.0, 200.0),
    "phq9": (0.0, 27.0),
    "gad7": (0.0, 21.0),
    "qtc": (350.0, 550.0),
}
SHORT = {"sleep": "Sleep, last 24 h", "dose_mg": "Dose"}  # the console's tables are narrow
AHEAD_H = 72.0  # of the forecast that the whole course shows
TEXTS = {
    "gut": "Drug not yet absorbed",
    "central": "Drug in the body",
    "peripheral": "Drug in the tissues",
    "stomach": "Drug in the stomach",
    "metabolite": "Active metabolite",
    "effect": "Benefit so far",
    "tolerance": "Tolerance so far",
    "stress_base": "Stress without drug",
    "sleep_base": "Sleep without drug",
    "mood_base": "Mood without drug",
    "mood_residual": "Mood, carried on",
    "log_clearance": "Clearance, log of ratio",
}


def plant_of(samples: Sequence[Sample]) -> Plant:
    """The plant with every channel that this patient has."""
    own = [replace(v, text=SHORT.get(v.name, v.text)) for v in PLANT.variables]
    return replace(PLANT, variables=(*own, *_further(samples), LEVEL))


def assays_of(levels: Sequence[Level], until: datetime) -> list[Assay]:
    """The drug levels drawn by then."""
    drawn = [(START + timedelta(hours=level.time_h), level.ng_per_ml) for level in levels]
    return [Assay(LEVEL.name, value, LEVEL.unit, at, at) for at, value in drawn if at <= until]


def _further(samples: Sequence[Sample]) -> list[Variable]:
    """The channels of wearables and questionnaires that this patient has."""
    there = [BY_NAME[name] for name in EXTRAS if any(name in s.extras for s in samples)]
    return [Variable(c.name, c.unit, *SPANS[c.name], Role.MEASURED, c.text) for c in there]
