"""The one who is told all but the rate of production: prior without assays, truth with good ones, nothing early."""

from __future__ import annotations

import numpy as np
import pytest

from controller.processes.penicillin.instruments import DELAY_S
from controller.processes.penicillin.product_limit import Told

SCAN_S = 300.0
SCANS = 1200
LATE = round(DELAY_S / SCAN_S)
EVERY = 144


def batch(speed: float) -> Told:
    """A hundred hours at a constant rate, so much faster than nominal."""
    told = Told(SCAN_S, speed=[speed] * SCANS, loss=[0.04] * SCANS, volume=[100.0] * SCANS)
    hours = SCAN_S / 3600.0 * np.arange(SCANS)
    told.product = (speed * 0.05 / 0.04 * (1.0 - np.exp(-0.04 * hours))).tolist()
    return told


def test_without_an_assay_it_believes_in_the_nominal_rate() -> None:
    told = batch(1.1)
    assert told.estimates() == pytest.approx(np.array(told.product) / 1.1)


def test_with_good_assays_it_finds_the_rate() -> None:
    told = batch(1.1)
    told.assays = {k: told.product[k] for k in range(EVERY, SCANS, EVERY)}
    errors = np.abs(told.estimates()[1:] / told.product[1:] - 1.0)
    assert errors[:EVERY] == pytest.approx(1.0 - 1.0 / 1.1)
    assert errors[-EVERY:].max() < 0.025


def test_a_result_tells_nothing_before_it_has_arrived() -> None:
    told, misled = batch(1.1), batch(1.1)
    told.assays = {k: told.product[k] for k in range(EVERY, SCANS, EVERY)}
    misled.assays = told.assays | {4 * EVERY: 2.0 * told.product[4 * EVERY]}
    changed = np.flatnonzero(told.estimates() != misled.estimates())
    assert changed[0] == 4 * EVERY + LATE
