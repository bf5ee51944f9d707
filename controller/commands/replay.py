"""`neurotwin replay`: recompute every decision of a batch from its record, and name the first that differs."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from controller.commands.choice import Chosen, Json, chosen
from controller.support.printing import progress, told
from controller.support.user_error import UserError


def replay(
    batch: Annotated[str, typer.Argument(help="The batch, as the plant calls it.")],
    config: Chosen = None,
    decision: Annotated[
        str | None, typer.Option(help="Only this one: the last at or before this process time (ISO 8601, UTC).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute the decisions of a batch, or one of them, and compare bit for bit; exit code 1 when one differs."""
    from controller.edge.historian import Historian
    from controller.review import replay as replaying
    from controller.settings import load

    settings, at = load(chosen(config)), None if decision is None else _time(decision)
    begun = time.perf_counter()
    with Historian.reader(settings.historian_path()) as history:
        if at is None:
            found = replaying.replay(history, settings.plant.name, batch, progress)
        else:
            found = replaying.replay_one(history, settings.plant.name, batch, at)
    report = _report(found, time.perf_counter() - begun)
    print(json.dumps(report) if as_json else _sentences(report))
    if not report["identical"]:
        raise SystemExit(1)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--decision {text}: is no time; give one such as 2026-01-03T12:00:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


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
        count = report["decisions"]
        verdict = f"{f'all {count} decisions are' if count > 1 else 'the decision is'} the same, bit for bit"
    else:
        verdict = (
            f"decision {first['decision']} at {first['time']} differs first in {first['field']}:"
            f" {first['recorded']} recorded, {first['recomputed']} recomputed"
        )
    shown = {key: report[key] for key in ("batch", "decisions", "sessions", "recorded_backend", "seconds")}
    return "\n".join([told(shown), *report["notes"], verdict])
