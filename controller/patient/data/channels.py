"""The channels of a patient: units that are understood, plausible ranges, and how reports of six hours become one.

Stress, sleep and mood make the score. What a wearable or a questionnaire adds is carried along and shown; the score
does not use it, because no use of it has been documented for this score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from controller.patient.advice.stability import CHANNELS, PLAUSIBLE
from controller.patient.pharmacology.drugs import DRUGS

Linear = tuple[float, float]  # ours = factor * theirs + offset
_AS_IS: Linear = (1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Channel:
    """One thing that is measured or reported. `gather`: last, mean or sum of the reports of one sample."""

    name: str
    text: str
    unit: str
    low: float  # plausible; outside it a value is a mistake
    high: float
    units: Mapping[str, Linear]
    gather: str


def _same(*units: str) -> dict[str, Linear]:
    return dict.fromkeys(units, _AS_IS)


_POINTS = _same("points", "{score}", "{Score}", "{#}", "1")
_HOURS = {**_same("h", "hr", "hours"), "min": (1 / 60, 0.0), "s": (1 / 3600, 0.0)}
_CELSIUS = {**_same("degC", "Cel", "°C"), "degF": (5 / 9, -160 / 9), "[degF]": (5 / 9, -160 / 9)}
_BEATS = _same("/min", "1/min", "bpm", "beats/min", "{beats}/min", "count/min")
_LEVEL = {**_same("ng/mL", "ug/L"), "ug/mL": (1000.0, 0.0), "mg/L": (1000.0, 0.0)}

# The ranges of wearables are what a living adult can show at most (design).
TABLE: tuple[Channel, ...] = (
    Channel("stress", "Stress", "points", *PLAUSIBLE["stress"], _POINTS, "last"),
    Channel("sleep", "Sleep in the 24 h before", "h", *PLAUSIBLE["sleep"], _HOURS, "last"),
    Channel("mood", "Mood", "points", *PLAUSIBLE["mood"], _POINTS, "last"),
    Channel("heart_rate", "Heart rate", "1/min", 20.0, 300.0, _BEATS, "mean"),
    Channel("spo2", "Oxygen saturation", "%", 50.0, 100.0, _same("%"), "mean"),
    Channel("temperature", "Body temperature", "degC", 30.0, 45.0, _CELSIUS, "mean"),
    Channel("steps", "Steps", "steps", 0.0, 100_000.0, _same("steps", "{steps}", "count", "1"), "sum"),
    Channel("heart_rate_variability", "Heart rate variability (SDNN)", "ms", 1.0, 500.0, _same("ms"), "mean"),
    Channel("phq9", "PHQ-9 total", "points", 0.0, 27.0, _POINTS, "last"),
    Channel("gad7", "GAD-7 total", "points", 0.0, 21.0, _POINTS, "last"),
    Channel("qtc", "QTc interval", "ms", 200.0, 800.0, _same("ms"), "last"),
    Channel("level", "Drug concentration", "ng/mL", 0.0, 50_000.0, _LEVEL, "last"),
)
BY_NAME = {channel.name: channel for channel in TABLE}
EXTRAS = tuple(c.name for c in TABLE if c.name not in (*CHANNELS, "level"))  # carried and shown

DOSE_UNITS: Mapping[str, Linear] = {**_same("mg"), "g": (1000.0, 0.0), "ug": (0.001, 0.0)}
MOST_TIMES_CAP = 3.0  # times the label's most in one dose, and more is a typing error (design)
ANY_DOSE_MAX_MG = 3000.0  # of a drug that is only carried along


def dose_max_mg(drug: str) -> float:
    """The largest single dose that is believed."""
    known = DRUGS.get(drug)
    return ANY_DOSE_MAX_MG if known is None else MOST_TIMES_CAP * known.cap_mg


def in_our_unit(name: str, value: float, unit: str) -> float | str:
    """The value in the channel's own unit, or the objection to it as the end of a sentence."""
    channel = BY_NAME[name]
    return convert(name, value, unit, channel.units, channel.unit, (channel.low, channel.high))


def convert(
    name: str, value: float, unit: str, units: Mapping[str, Linear], ours: str, limits: tuple[float, float]
) -> float | str:
    """The value in our unit when the unit is known and the value within limits; otherwise the objection."""
    if unit not in units:
        said = f'has the unit "{unit}"' if unit else "has no unit"
        return f"{name} {said}; {name} is given in {' or '.join(units)}"
    factor, offset = units[unit]
    converted = value if (factor, offset) == _AS_IS else factor * value + offset
    if not (math.isfinite(converted) and limits[0] <= converted <= limits[1]):
        return f"{name} is {value:g} {unit}, outside {limits[0]:g} to {limits[1]:g} {ours}"
    return converted
