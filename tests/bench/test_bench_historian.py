"""The bench of the historian measures what it says, on a small part of it."""

from __future__ import annotations

import shutil

from controller.bench import historian


def test_the_quick_bench_gives_every_figure_and_loses_no_point():
    told: list[str] = []
    found = historian.historian(told.append, quick=True)
    assert found["rows"] == 100 * 3600
    for name in ("commit_p50", "bulk_samples_per_s", "trend_ms", "trend_20_tags_ms", "live_mb", "record_p50"):
        assert found[name] > 0, name
    assert told
    if shutil.which("victoria-metrics"):
        assert found["outbox_stored"] == 50_000
        assert found["outbox_points_per_s"] > 0
