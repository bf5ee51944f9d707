"""Codes of FHIR R4's Timing: units of time, days of the week, events of daily life and abbreviations."""

from __future__ import annotations

from controller.patient.regimen import DAY_H

PER_H = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": DAY_H, "wk": 7 * DAY_H}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Hours of the day that an event of daily life stands for (design); events that come several times a day are not read.
WHEN_H = {
    "MORN.early": 6.0, "MORN": 8.0, "MORN.late": 10.0, "NOON": 12.0, "AFT.early": 13.0, "AFT": 15.0, "AFT.late": 17.0,
    "EVE.early": 18.0, "EVE": 19.0, "EVE.late": 21.0, "NIGHT": 22.0, "HS": 22.0, "WAKE": 7.0,
    "CM": 8.0, "ACM": 7.5, "PCM": 8.5, "CD": 12.5, "ACD": 12.0, "PCD": 13.0, "CV": 19.0, "ACV": 18.5, "PCV": 19.5,
}  # fmt: skip
# GTSAbbreviation: single doses in so many hours, or one at an hour of the day.
CODES = {
    "QD": (1, DAY_H), "BID": (2, DAY_H), "TID": (3, DAY_H), "QID": (4, DAY_H), "QOD": (1, 2 * DAY_H),
    "Q1H": (24, DAY_H), "Q2H": (12, DAY_H), "Q3H": (8, DAY_H), "Q4H": (6, DAY_H), "Q6H": (4, DAY_H),
    "Q8H": (3, DAY_H), "WK": (1, 7 * DAY_H),
}  # fmt: skip
CODES_AT = {"AM": 8.0, "PM": 19.0, "BED": 22.0}
