"""A patient's course as the gateway sees it: samples played at a chosen pace, answers judged as they come.

Everything is kept in memory: a course has dozens of samples, not millions.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from controller.edge.advice import AdviceLog, Followed, Past, followed
from controller.edge.gateway.source import Bucket
from controller.edge.historian.series import samples
from controller.edge.historian.trends import Bucket as Row
from controller.loop.alarms import AlarmRules, Definition
from controller.loop.batch import Recipe
from controller.loop.records import Decision, Intent, Mode, Ruling, Suggestion
from controller.loop.what_if import Considered
from controller.patient import model as patient
from controller.patient.course import Course
from controller.patient.display import AHEAD_H, TEXTS, assays_of, plant_of
from controller.patient.parts import GATES
from controller.patient.snapshots import START
from hmi.patient.subject import FIRST, SUBJECT
from twin.records import Step
from twin.signals import Assay, Quality

OVER = "the recording is over: this was its last sample; answers are still judged"


class PatientSource:
    """The Source of one course. It is advanced and judged by one task at a time."""

    def __init__(self, course: Course, name: str, text: str) -> None:
        self._course, self._name, self._text = course, name, text
        self._model = patient.model(course.treatment.pk)
        self._turning = asyncio.Lock()
        self._decisions: list[Decision] = []
        self._series: dict[str, dict[int, tuple[float | None, int]]] = defaultdict(dict)
        self._events: list[dict[str, Any]] = []
        self._known: set[str] = set()
        self._advice = AdviceLog()
        self._listeners: set[asyncio.Queue[datetime | None]] = set()
        self._scans, self._period_s, self._scanned_at = 0, 0.0, datetime.now(UTC)
        self.over = False

    @property
    def decisions(self) -> Sequence[Decision]:
        """Every turn so far, those that only judged an answer among them."""
        return tuple(self._decisions)

    async def play(self, period_s: float) -> None:
        """Take a turn for each sample, one every `period_s` wall seconds, until there is none any more."""
        self._period_s = period_s
        while not self.over:
            async with self._turning:
                decision = await asyncio.to_thread(self._course.advance)
                if decision is None:
                    self.over = True
                    break
                self._scans += 1
                self._record(decision)
            await asyncio.sleep(period_s)

    def close(self) -> None:
        """End the streams."""
        for listener in self._listeners:
            listener.put_nowait(None)

    def _record(self, decision: Decision) -> None:
        self._decisions.append(decision)
        self._advice.follow(decision)
        self._scanned_at = datetime.now(UTC)
        at = int(decision.time.timestamp() * 1000)
        for sample in samples(decision):
            self._series[sample.series][at] = (sample.value, int(sample.quality))
        for name, value in self._course.shown(decision).items():
            self._series[name][at] = (value, int(Quality.GOOD))
        self._tell(decision)
        for listener in self._listeners:
            listener.put_nowait(decision.time)

    def _tell(self, decision: Decision) -> None:
        proposal, told = decision.proposal, []
        for ruling in decision.rulings:
            asked = ruling.intent
            text = f"{asked.by}: {ruling.reason}" + (f" ({asked.reason})" if asked.reason else "")
            told.append((asked.kind, text, "info" if ruling.granted else "warning"))
        if isinstance(proposal, Suggestion) and proposal.id not in self._known:
            self._known.add(proposal.id)
            told.append((proposal.kind, proposal.reason, "alarm" if proposal.kind == "urgent" else "info"))
        told += [("loop", note, "warning") for note in decision.notes]
        for kind, text, severity in told:
            self._events.insert(0, {"time": decision.time, "kind": kind, "text": text, "severity": severity})

    def plant(self) -> Mapping[str, Any]:
        """What does not change while the course is played."""
        plant = plant_of(self._course.samples)
        return {
            "name": self._name,
            "model": plant.model,
            "text": self._text,
            "advisory_only": plant.advisory_only,
            "subject": SUBJECT,
            "first": FIRST,
            "variables": [
                {"name": v.name, "unit": v.unit, "low": v.low, "high": v.high, "role": v.role, "text": v.text}
                for v in plant.variables
            ],
            "states": [{"name": s.name, "unit": s.unit, "text": TEXTS.get(s.name, "")} for s in self._model.states],
            "limits": {},
            "batch_length_h": (self._course.samples[-1].time_h if self._course.samples else 0.0) + AHEAD_H,
            "novelty_max": GATES.novelty_max,
        }

    def latest(self) -> Decision | None:
        """The last turn."""
        return self._decisions[-1] if self._decisions else None

    def alarms(self) -> tuple[Sequence[Definition], AlarmRules]:
        """A patient has no alarms: what is urgent is a suggestion."""
        return (), AlarmRules()

    def recipe(self) -> Recipe | None:
        """A patient is no batch."""
        return None

    def status(self) -> Mapping[str, Any]:
        """How the playing goes; once it is over no sample is overdue."""
        decision = self.latest()
        return {
            "link": "connected",
            "mode": decision.mode if decision else Mode.ADVISORY,
            "mode_reason": decision.mode_reason if decision else "",
            "scans": self._scans,
            "scan_period_s": None if self.over else self._period_s,
            "scanned_at": None if self.over else self._scanned_at,
            "notice": OVER if self.over else "",
            "batch": {
                "id": decision.situation.batch if decision else "",
                "start": START,
                "phase": decision.situation.phase if decision else "",
            },
        }

    async def trend(
        self, series: list[str], start: datetime, end: datetime, buckets: int
    ) -> Mapping[str, Sequence[Bucket]]:
        """Every sample between start and end; samples that share one of `buckets` stretches are put together."""
        first, last = (int(time.timestamp() * 1000) for time in (start, end))
        width = (last - first) // buckets + 1
        return {name: _grouped(self._series[name], first, last, width) for name in series if name in self._series}

    async def assays(self) -> Sequence[Assay]:
        """Drug levels that have been measured by now."""
        decision = self.latest()
        return () if decision is None else assays_of(self._course.levels, decision.time)

    async def gaps(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """None are kept: a day without a sample is a sample without values."""
        return ()

    async def events(self, limit: int, kinds: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """Suggestions, answers and notes, newest first."""
        return [event for event in self._events if not kinds or event["kind"] in kinds][:limit]

    async def submit(self, intent: Intent) -> Ruling:
        """Judge it in a turn of its own on the present sample."""
        async with self._turning:
            if not self._decisions:
                return Ruling(intent, False, "there is no sample yet")
            decision = await asyncio.to_thread(self._course.judge, intent)
            self._record(decision)
            return decision.rulings[-1]

    async def what_if(self, steps: Sequence[Step]) -> Considered | str:
        """Nothing is ever set for a patient, so there is nothing to try by hand."""
        return "this plant has no setpoint that may be moved"

    async def suggestions(self) -> Sequence[Past]:
        """What was suggested, newest first."""
        return self._advice.past()

    def followed(self, past: Past) -> Followed | None:
        """What has come of a suggestion by now."""
        decision = self.latest()
        return None if decision is None else followed(past, decision.estimate, self._model)

    async def system(self) -> Sequence[Mapping[str, Any]]:
        """How the playing goes."""
        decision = self.latest()
        backend = "" if decision is None else decision.insight.backend
        facts = [{"name": "samples", "value": str(self._scans)}, {"name": "NeuroCore", "value": backend}]
        return [{"name": "Recording", "state": "ok", "text": OVER if self.over else "being played", "facts": facts}]

    async def report(self) -> bytes | str:
        """A course is no batch: `neurotwin patient --out` writes what there is to report."""
        return "a patient's course has no batch report; `neurotwin patient --out DIR` writes its own"

    async def subscribe(self) -> AsyncIterator[datetime]:
        """The process time of each turn."""
        listener: asyncio.Queue[datetime | None] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            while (time := await listener.get()) is not None:
                yield time
        finally:
            self._listeners.discard(listener)


def _grouped(rows: Mapping[int, tuple[float | None, int]], first: int, last: int, width: int) -> list[Row]:
    stretches: dict[int, list[tuple[int, float | None, int]]] = defaultdict(list)
    for at, (value, quality) in sorted(rows.items()):
        if first <= at <= last:
            stretches[(at - first) // width].append((at, value, quality))
    found = []
    for together in stretches.values():
        values = [value for _, value, _ in together if value is not None]
        mean = sum(values) / len(values) if values else None
        middle = sum(at for at, _, _ in together) // len(together)
        worst = max(quality for _, _, quality in together)
        found.append(Row(middle, min(values, default=None), mean, max(values, default=None), worst))
    return found
