"""Trend colours on the light and the dark ground: muted, since bright means abnormal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """Ink and pens of the trend charts."""

    ground: str
    ink: str
    faint: str
    grid: str
    measured: str
    setpoint: str
    estimate: str
    baseline: str
    proposed: str
    bad: str


LIGHT = Palette(
    ground="#f1f2f3",
    ink="#3d454c",
    faint="#6a737b",
    grid="#dcdfe2",
    measured="#22292f",
    setpoint="#6d4c7d",
    estimate="#2b5f8a",
    baseline="#767f87",
    proposed="#19756c",
    bad="#b3261e",
)
DARK = Palette(
    ground="#2a2f34",
    ink="#b9c0c6",
    faint="#929aa2",
    grid="#3a4047",
    measured="#d5d9dc",
    setpoint="#b596c6",
    estimate="#7fb0d6",
    baseline="#959da4",
    proposed="#5fb8ad",
    bad="#f0796f",
)
