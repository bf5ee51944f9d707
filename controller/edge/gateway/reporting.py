"""Gateway source of a running controller: answers from the runner's memory and the historian's readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from controller.edge.advice import Followed, Past, followed
from controller.edge.gateway.source import Bucket
from controller.edge.gateway.system import parts_of
from controller.edge.historian.history import History
from controller.edge.opcua.guard import same
from controller.edge.reports import Reports
from controller.edge.runner import Runner
from controller.loop.alarms import AlarmRules, Definition
from controller.loop.batch import Recipe
from controller.loop.records import Decision, Intent, Ledger, Ruling
from controller.loop.what_if import Considered
from controller.settings import process_of
from twin.model import Model
from twin.records import Step
from twin.signals import Assay

ALARMING = {
    "refused": "alarm",
    "unknown": "warning",
    "lost": "alarm",
    "difference": "warning",
    "loop": "warning",
}  # how grave an event of this kind is


_GAP = ("variable", "start", "end", "cause", "text", "backfilled", "note")


class RunnerSource:
    """The Source of one runner."""

    def __init__(self, runner: Runner, model: Model, reader: History, reports: Reports) -> None:
        self._runner = runner
        self._model = model
        self._reader = reader
        self._reports = reports

    def plant(self) -> Mapping[str, Any]:
        """What does not change while the controller runs."""
        settings, parts = self._runner.settings, self._runner.parts
        shown = {v.name: {"output": v.output or "", "drawn": v.drawn or ""} for v in settings.variable}
        return {
            "name": parts.plant.name,
            "model": parts.plant.model,
            "text": settings.plant.description,
            "advisory_only": parts.plant.advisory_only,
            "first": process_of(settings).shown,
            "variables": [
                {"name": v.name, "unit": v.unit, "low": v.low, "high": v.high, "role": v.role, "text": v.text}
                | shown.get(v.name, {})
                for v in parts.plant.variables
            ],
            "states": [{"name": s.name, "unit": s.unit} for s in self._model.states],
            "limits": {
                x.variable: {"low": x.low, "high": x.high, "rate_per_h": x.max_rate_per_h}
                for x in parts.envelope.limits
            },
            "batch_length_h": settings.batch.length_h,
            "novelty_max": parts.gates.novelty_max,
        }

    def latest(self) -> Decision | None:
        """The last turn."""
        return self._runner.decision

    def alarms(self) -> tuple[Sequence[Definition], AlarmRules]:
        """The alarms as configured."""
        return self._runner.parts.alarms, self._runner.parts.alarm_rules

    def recipe(self) -> Recipe | None:
        """The recipe as configured."""
        return self._runner.parts.recipe

    def status(self) -> Mapping[str, Any]:
        """How the controller is doing."""
        runner, scan, decision = self._runner, self._runner.scan, self._runner.decision
        batch = {} if scan is None else {"id": scan.batch, "start": scan.batch_start, "phase": scan.phase}
        return {
            "link": "lost" if runner.outage.text else "connected",
            "link_text": runner.outage.text,
            "mode": runner.ladder.mode,
            "mode_reason": runner.ladder.reason,
            "scans": runner.counts.scans,
            "scan_period_s": runner.clock.period_s,
            "scanned_at": runner.clock.scanned_at,
            "commands_written": runner.counts.commands_written,
            "commands_refused": runner.counts.commands_refused,
            "outbox_pending": self._reader.outbox_pending() or 0,
            "notice": runner.notice,
            "batch": batch,
            "ledger": decision.ledger if decision else Ledger(),
            "setpoints": {} if scan is None else self._setpoints(decision),
        }

    def _setpoints(self, decision: Decision | None) -> dict[str, Any]:
        scan = self._runner.scan
        if scan is None:
            return {}
        command = decision.command if decision else None
        remote = {m.variable: m.value for m in command.moves} if command else {}
        shown = {}
        for name, active in scan.setpoints.items():
            ours = name in remote and same(remote[name], active)
            shown[name] = {
                "local": scan.local.get(name),
                "remote": remote.get(name),
                "active": active,
                "owner": "supervisor" if ours else "recipe",
                "valid_until": command.valid_until if command and name in remote else None,
            }
        return shown

    async def trend(
        self, series: list[str], start: datetime, end: datetime, buckets: int
    ) -> Mapping[str, Sequence[Bucket]]:
        """Decimated history of the batch that runs."""
        return await asyncio.to_thread(
            self._reader.trend, self._runner.parts.plant.name, self._batch(), series, start, end, buckets
        )

    async def assays(self) -> Sequence[Assay]:
        """The laboratory results of the batch."""
        return await asyncio.to_thread(self._reader.assays, self._runner.parts.plant.name, self._batch())

    async def gaps(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The gap ledger of the batch, newest first."""
        rows = await asyncio.to_thread(
            self._reader.gaps, self._runner.parts.plant.name, self._batch() or None, limit=limit
        )
        return [{name: getattr(gap, name) for name in _GAP} for gap in reversed(rows)]

    async def events(self, limit: int, kinds: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """The latest events, newest first; with `kinds`, those of the batch that runs and of these kinds."""
        batch = self._batch() or None if kinds else None
        rows = await asyncio.to_thread(self._reader.events, batch=batch, limit=limit, kinds=kinds)
        return [
            {"time": e.time, "kind": e.kind, "text": e.text, "severity": ALARMING.get(e.kind, "info")}
            for e in reversed(rows)
        ]

    async def submit(self, intent: Intent) -> Ruling:
        """Put the intent before the next turn."""
        return await self._runner.submit(intent)

    async def what_if(self, steps: Sequence[Step]) -> Considered | str:
        """Both forecasts and the verdict on a plan by hand."""
        return await self._runner.what_if(steps)

    async def suggestions(self) -> Sequence[Past]:
        """What was suggested in this batch, newest first."""
        return self._runner.advice.past()

    def followed(self, past: Past) -> Followed | None:
        """What has come of a suggestion by now."""
        decision = self._runner.decision
        return None if decision is None else followed(past, decision.estimate, self._model)

    async def system(self) -> Sequence[Mapping[str, Any]]:
        """The parts of the system, from the link to NeuroCore."""
        return await asyncio.to_thread(parts_of, self._runner, self._reader)

    async def report(self) -> bytes | str:
        """The report of the batch that runs."""
        return await self._reports.of(self._batch())

    def subscribe(self) -> AsyncIterator[datetime]:
        """The process time of each turn."""
        return self._runner.subscribe()

    def _batch(self) -> str:
        return self._runner.scan.batch if self._runner.scan else ""
