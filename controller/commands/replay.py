"""`neurotwin replay`: recompute every decision of a batch from its record, and name the first that differs."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from controller.commands.choice import Chosen, Json, chosen
from controller.support.printing import progress, told


def replay(
    batch: Annotated[str, typer.Argument(help="The batch, as the plant calls it.")],
    config: Chosen = None,
    as_json: Json = False,
) -> None:
    """Recompute every decision of a batch from its record and compare bit for bit; exit code 1 when one differs."""
    from controller.edge.historian import Historian
    from controller.review import replay as replaying
    from controller.settings import load

    settings = load(chosen(config))
    begun = time.perf_counter()
    with Historian.reader(settings.historian_path()) as history:
        found = replaying.replay(history, settings.plant.name, batch, progress)
    report = _report(found, time.perf_counter() - begun)
    print(json.dumps(report) if as_json else _sentences(report))
    if not report["identical"]:
        raise SystemExit(1)


def _report(found: Any, seconds: float) -> dict[str, Any]:
    mismatch = found.mismatch
    return {
        "batch": found.batch,
        "decisions": found.decisions,
        "sessions": found.sessions,
        "recorded_backend": found.backend,
        "replayed_backend": "reference",
        "identical": mismatch is None,
        "first_difference": None
        if mismatch is None
        else {
            "decision": mismatch.number,
            "time": mismatch.time,
            "batch": mismatch.batch,
            "field": mismatch.difference.field,
            "recorded": mismatch.difference.recorded,
            "recomputed": mismatch.difference.recomputed,
        },
        "notes": list(found.notes),
        "seconds": seconds,
    }


def _sentences(report: dict[str, Any]) -> str:
    first = report["first_difference"]
    if first is None:
        verdict = f"all {report['decisions']} decisions are the same, bit for bit"
    else:
        verdict = (
            f"decision {first['decision']} at {first['time']} differs first in {first['field']}:"
            f" {first['recorded']} recorded, {first['recomputed']} recomputed"
        )
    shown = {key: report[key] for key in ("batch", "decisions", "sessions", "recorded_backend", "seconds")}
    return "\n".join([told(shown), *report["notes"], verdict])
