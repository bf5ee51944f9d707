"""Subject: the words and the pace of a patient's course, as data for console and Grafana, which know of no patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIRST = ("neurocore.stability", "stress", "sleep", "mood", "level")  # what displays show first
SUBJECT: Mapping[str, Any] = {  # as the gateway serves it with the description of the plant
    "noun": "Patient",
    "run": "Course",
    "elapsed": "Elapsed time",
    "windows": {"batch": "Whole course", "168": "7 days", "72": "3 days", "own": "Zoomed"},
    "tick_h": 24.0,
    "each": True,
    "in_days": True,
    "alarms": False,  # what is urgent is a suggestion
    "vessel": False,
    "parts": {
        "D": "Distance from a calm day",
        "V": "Swing",
        "N": "Novelty",
        "A": "Early activation",
        "low": "Two samples below 0.50",
        "fall": "Fall of the score",
        "red_flag_mood": "Red flag: mood",
        "red_flag_activation": "Red flag: activation",
        "good_samples": "Complete of the last 4",
        "sleep_fall_h": "Sleep lost in 24 h, h",
        "dose_mg_48h": "Taken in 48 h, mg",
    },
}
COURSE: Mapping[str, Any] = {  # the dashboard
    "name": "patient",
    "title": "patient (research use only; not a medical device)",
    "channels": {"stress": "", "sleep": "h", "mood": ""},  # with their units
    "note": "Research use only; advisory; not a medical device. Nothing is ever written for a patient.",
}
