"""[diagnosis]: how far things may be off before they are called implausible."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from controller.tables.values import STRICT, Positive, Whole


@dataclass(frozen=True, config=STRICT)
class DiagnosisTable:
    """[diagnosis]: checks of actuators, rates and assays; times are process time."""

    delivery_share: Positive = 0.10  # of its setpoint that a flow may be off
    delivery_scans: Annotated[Whole, Field(ge=1)] = 3  # in a row
    jump_window_h: Positive = 6.0
    jumps: dict[str, Positive] = Field(default_factory=dict)  # by rate multiplier: the largest move of its logarithm
    settle_h: Positive = 24.0  # after the start, in which the rates are still being learned
    assay_sd: Positive = 5.0
    assay_relative: Positive = 0.05  # the laboratory's own error
