"""The console's bench opens real pages before a real gateway, and its verdict on memory sees growth and no ghosts."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from controller.bench import console


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium to open a page with")
def test_the_short_form_gives_every_figure() -> None:
    told: list[str] = []
    found = console.measured(told.append, minutes=0.1, days=0.1, clients=2, opens=1, watch_s=3.0)
    assert found["rows"] == 8640 * 22
    for name in ("open_s_p50", "zoom_s_max", "open_first_visit_s", "cpu_percent", "gateway_rss_mb", "trends_heap_mb"):
        assert 0.0 < found[name] < 1000.0, name
    assert found["displays"] == ["unit", "trends"]
    assert "All readings good" in found["turns"]
    assert {"opens_within_1_s", "zooms_within_500_ms", "cpu_within_30_percent", "memory_is_steady"} <= found.keys()
    assert told


@pytest.mark.parametrize(("mb_h", "seen"), [(0.0, False), (40.0, True)])
def test_growth_is_told_from_noise(mb_h: float, seen: bool) -> None:
    times = np.linspace(0.0, 1.0, 120)
    warm = 30.0 * (1.0 - np.exp(-times / 0.05))
    values = 150.0 + warm + mb_h * times + np.random.default_rng(1).normal(0, 2.0, 120)
    slope, doubt = console.slope_per_h(times.tolist(), values.tolist())
    assert (slope - doubt > console.GROWTH_MB_H) is seen
    assert math.isclose(slope, mb_h, abs_tol=6.0)
