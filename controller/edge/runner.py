"""The runner turns the wheel: read the plant, take a turn, record it, and only then write; it survives its parts.

Process time comes from the plant. The wall clock is used for waiting and for saying how old the last scan is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog

from controller.checkpoint import checkpoint_of
from controller.edge import audit
from controller.edge.actuator import Actuator, Done, carried_out
from controller.edge.advice import AdviceLog
from controller.edge.alarm_dispatch import Announcer
from controller.edge.event_log import happened
from controller.edge.gap_ledger import Absences
from controller.edge.historian import Historian
from controller.edge.opcua import PlantLink, PlantLost, Scan
from controller.edge.outage_backfill import CatchingUp
from controller.edge.resuming import assays_seen, left_at
from controller.edge.stopwatch import Stopwatch
from controller.loop.mode_ladder import Ladder, demoted
from controller.loop.records import Decision, Intent, Mode, Ruling, Situation
from controller.loop.turn import Memory, Parts, turn, what_if
from controller.loop.what_if import Considered
from controller.neurocore.backend import NeuroCoreLost
from controller.neurocore.core import NeuroCore, SnapshotMismatch
from controller.sessions import RELEARNED, STARTED, TRACK_SPAN, Session, began, configured, resumed, versions
from controller.settings import Settings
from twin.records import Step
from twin.signals import Assay, Reading

log = structlog.get_logger()
T = TypeVar("T")
STALLED_SCANS = 5.0  # scan periods by the wall without a step of process time (design)


@dataclass(slots=True)
class Counts:
    """What has happened since the start."""

    scans: int = 0
    commands_written: int = 0
    commands_refused: int = 0
    lapses: int = 0
    neurocore_ms: list[float] = field(default_factory=list)


class Runner:
    """One reactor's controller. `rebuild_core` makes a NeuroCore that has learned nothing yet."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        core: NeuroCore,
        rebuild_core: Callable[[], NeuroCore],
        link: PlantLink,
        historian: Historian,
    ) -> None:
        self.settings = settings
        self.counts = Counts()
        self.core = core
        self.parts = replace(parts, core=Stopwatch(core, self.counts.neurocore_ms))
        self.link = link
        self.historian = historian
        self.scan: Scan | None = None
        self.decision: Decision | None = None
        self.advice = AdviceLog()
        self.notice = "starting"
        self.link_lost = ""  # why, while the plant is out of reach
        self.scanned_at: datetime | None = None  # wall time (UTC) of the last scan
        self.scan_period_s: float | None = None  # wall seconds between the last two scans
        self._rebuild_core = rebuild_core
        self._memory = Memory(began())
        self._faults: tuple[str, ...] = ()
        self._outage = ""  # why the plant was lost since the last turn
        self.announcer = Announcer(parts.alarms)
        self._last_known: datetime | None = None  # process time of the last scan in the historian
        self._arrived: tuple[Assay, ...] = ()  # laboratory results that wait for the next turn
        self._actuator = Actuator(link)
        self._absences = Absences(historian, parts.plant.name, settings.connection.scan_s)
        self._catching_up = CatchingUp(link, settings.connection.scan_s, self._backfill, self._event)
        self._requests: list[tuple[Intent, asyncio.Future[Ruling]]] = []
        self._listeners: set[asyncio.Queue[datetime]] = set()
        # Lava's pipe, the filter and SQLite all block: they share one thread, so that the event loop stays free.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="turn")

    @property
    def ladder(self) -> Ladder:
        """Where the loop stands on the mode ladder."""
        return self._memory.ladder

    # -- the wheel ---------------------------------------------------------------------------------------------

    async def run(self, until_hours: float | None = None, wanted: Mode | None = None) -> None:
        """Turn until cancelled, or until the batch is `until_hours` old; ask for mode `wanted` at the first scan."""
        try:
            self.link.assays_seen.update(await self._in_worker(assays_seen, self.historian, self.parts.plant.name))
            scan = await self._next_scan()
            await self._in_worker(self._resume, scan)
            if wanted is not None:
                self._ask(Intent("mode", "command line", scan.snapshot.time, mode=wanted, reason="asked at start"))
            first = scan.batch_start or scan.snapshot.time
            while True:
                await self._one(scan)
                if until_hours is not None and scan.snapshot.time - first >= timedelta(hours=until_hours):
                    return
                scan = await self._next_scan()
        finally:
            await self._leave()

    async def _one(self, scan: Scan) -> None:
        """One scan: take the turn, journal it, act on it, tell whoever listens."""
        requests, self._requests = self._requests, []
        situation = self._situation(scan, tuple(intent for intent, _ in requests))
        decision = await self._in_worker(self._turn, scan, situation)
        self._catching_up.seen(self._last_known, scan.batch, scan.snapshot.time)
        self._last_known = scan.snapshot.time
        before = self.decision
        self._seen(scan, decision)
        self.counts.lapses = scan.lapses or 0
        for kind, text in happened(before, decision):
            await self._event(kind, text)
        self.announcer.turn(decision)
        done = await self._act(decision)
        for (_, answer), ruling in zip(requests, self._ordered(requests, decision), strict=True):
            if not answer.done():
                answer.set_result(carried_out(ruling, done))
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(decision.time)

    def _seen(self, scan: Scan, decision: Decision) -> None:
        now = datetime.now(UTC)
        if self.scanned_at is not None:
            self.scan_period_s = (now - self.scanned_at).total_seconds()
        self.scan, self.decision, self.scanned_at = scan, decision, now
        self.advice.follow(decision)
        self.counts.scans += 1
        self.notice = decision.notes[-1] if decision.notes else ""

    def _turn(self, scan: Scan, situation: Situation) -> Decision:
        """Take the turn and record it; a NeuroCore that died is rebuilt from what it had learned."""
        try:
            decision, memory, looked_ahead = self._attempt(scan, situation)
        except NeuroCoreLost as lost:
            told = f"NeuroCore was lost and started again: {lost}"
            log.error(told)
            self.historian.event(scan.snapshot.time, self.parts.plant.name, scan.batch, "loop", told)
            self._restart_core(scan, told)
            self._memory = replace(self._memory, ladder=demoted(self._memory.ladder, told), learned=None)
            heard = {**situation.conditions, "loop.neurocore": told}
            situation = replace(situation, faults=(*situation.faults, told), conditions=heard)
            decision, memory, looked_ahead = self._attempt(scan, situation)
        self._memory = memory
        state, point = (self.core.snapshot(), checkpoint_of(memory)) if looked_ahead else (None, None)
        self.historian.record(decision, state, audit.of_turn(self.decision, decision), point)
        self._absences.seen(decision)
        return decision

    def _attempt(self, scan: Scan, situation: Situation) -> tuple[Decision, Memory, bool]:
        decision, memory = turn(self._memory, scan.snapshot, situation, self.parts)
        return decision, memory, memory.outlook is not self._memory.outlook

    def _restart_core(self, scan: Scan, why: str) -> None:
        state = self.historian.core_state(self.parts.plant.name)
        self.historian.begin(self._session(scan, RELEARNED, why, None, state))
        self.core.close()
        self.core = self._rebuild_core()
        if state is not None:
            self.core.restore(state)
        self.parts = replace(self.parts, core=Stopwatch(self.core, self.counts.neurocore_ms))

    async def _next_scan(self) -> Scan:
        """The next snapshot that is a scan period newer than the last; a lost link is announced once and awaited."""
        while True:
            _heed_cancellation()
            try:
                if self.settings.connection.lockstep and self.scan is not None:
                    await self.link.advance(self.settings.connection.scan_s)
                scan = await self.link.poll(self._due_at())
            except PlantLost as fault:
                if not self._outage:
                    await self._in_worker(self._absences.lost, str(fault))
                self.link_lost = self._outage = str(fault)
                self.announcer.outage(self.link_lost)
                await self._tell_link()
                await asyncio.sleep(self.settings.connection.poll_s)
                continue
            if scan is None:  # nothing has changed since the last look
                await asyncio.sleep(self.settings.connection.poll_s)
                continue
            self.link_lost = ""
            await self._tell_link()
            self._arrived += scan.snapshot.assays
            if self._due(scan):
                # A result that arrived between two turns was told once, by the look that is not a turn.
                assays, self._arrived = self._arrived, ()
                return replace(scan, snapshot=replace(scan.snapshot, assays=assays))
            self._watch_clock(scan)
            await asyncio.sleep(self.settings.connection.poll_s)

    def _due_at(self) -> datetime | None:
        """The process time of the next turn; None: at once."""
        if self.decision is None or self.settings.connection.lockstep:
            return None
        return self.decision.time + timedelta(seconds=self.settings.connection.scan_s * 0.999)

    def _due(self, scan: Scan) -> bool:
        if self.decision is None:
            return True
        if self.scan is not None and scan.snapshot.time == self.scan.snapshot.time:
            return False
        age_s = (scan.snapshot.time - self.decision.time).total_seconds()
        if age_s < 0:  # its clock went back: each new time is told, until it is believed
            return True
        if self._requests and age_s > 0:  # who asks is not kept waiting for the next scan
            return True
        return age_s >= self.settings.connection.scan_s * 0.999

    async def _tell_link(self) -> None:
        """What happened to the link since the last scan; before the first one there is no process time to note it."""
        if self.scan is not None:
            for happened in self.link.take_events():
                await self._event(happened.kind, happened.text)

    def _watch_clock(self, scan: Scan) -> None:
        """A plant that answers while its time stands still is as good as lost: there is nothing new to act upon."""
        if scan.stalled_s > STALLED_SCANS * (self.scan_period_s or self.settings.connection.scan_s):
            self.link_lost = f"the plant answers, but its time has stood still for {scan.stalled_s:.0f} s"
            self._outage = self.link_lost
            self.announcer.outage(self.link_lost)
            self._absences.stalled(self.link_lost)

    # -- what is done to the plant -----------------------------------------------------------------------------

    async def _act(self, decision: Decision) -> Done:
        """Do what the Decision says; it is already in the historian."""
        done = await self._actuator.act(decision)
        self._faults = done.faults
        self.counts.commands_written += done.written
        self.counts.commands_refused += done.refused
        for kind, text in done.events:
            await self._event(kind, text)
        await self._in_worker(self.historian.audit, audit.of_writing(decision, done.events))
        return done

    # -- before and after --------------------------------------------------------------------------------------

    def _resume(self, scan: Scan) -> None:
        """Take up the batch where the historian left it: belief, learning, and a command still in force."""
        name = self.parts.plant.name
        state = self.historian.core_state(name)
        last, number = left_at(self.historian, name, scan)
        session, before = self._session(scan, STARTED, "", number, state), self.historian.sessions(name)
        self.historian.begin(session, audit.of_start(before[-1][1] if before else None, session))
        if state is not None:
            self._restore(scan, state)
        if last is None:
            return
        self._last_known = last.time
        self._absences.resumed(scan.batch, last.time)
        recent = self.historian.decisions(name, scan.batch, last.time - TRACK_SPAN)
        self.advice.replay(recent)
        self._memory = resumed(last, recent, scan.snapshot.time)
        self._actuator.take_over(self._memory.standing)
        self.historian.event(scan.snapshot.time, name, scan.batch, "loop", "the batch is resumed")

    def _session(
        self, scan: Scan, kind: str, reason: str, number: int | None, state: Mapping[str, Any] | None
    ) -> Session:
        return Session(
            time=scan.snapshot.time,
            plant=self.parts.plant.name,
            batch=scan.batch,
            kind=kind,
            reason=reason,
            resumed_from=number,
            settings=configured(self.settings),
            core_state=state,
            versions=versions(),
        )

    def _restore(self, scan: Scan, state: Mapping[str, object]) -> None:
        try:
            self.core.restore(state)
        except SnapshotMismatch as mismatch:
            told = f"what NeuroCore had learned is set aside, it starts anew: {mismatch}"
            self.historian.event(scan.snapshot.time, self.parts.plant.name, scan.batch, "loop", told)

    def _situation(self, scan: Scan, intents: tuple[Intent, ...]) -> Situation:
        start = scan.batch_start or scan.snapshot.time
        faults = self._faults if self.link.resynchronised else (*self._faults, "the link has only just come back")
        faults = (*faults, self.link.rival) if self.link.rival else faults
        return Situation(
            batch=scan.batch,
            phase=scan.phase,
            batch_end=start + timedelta(hours=self.settings.batch.length_h),
            setpoints=scan.setpoints,
            intents=intents,
            faults=faults,
            local=scan.local,
            conditions=self._conditions(),
            batch_start=scan.batch_start,
        )

    def _conditions(self) -> dict[str, str]:
        """What only the edge knows, for the alarms: by name, each a sentence."""
        found = {"loop.readback": "; ".join(self._faults), "loop.link": self._outage}
        self._outage = ""
        return {name: sentence for name, sentence in found.items() if sentence}

    async def _leave(self) -> None:
        """Close what was opened. Setpoints are left to their lease: a restart within it takes them up again."""
        for _, answer in self._requests:
            answer.cancel()
        await self._catching_up.close()
        await self._in_worker(self._close)
        self._worker.shutdown(wait=True)

    def _close(self) -> None:
        if self.decision is not None:
            self.historian.save_core_state(self.parts.plant.name, self.decision.time, self.core.snapshot())
        self.core.close()

    async def _backfill(self, batch: str, readings: Mapping[str, tuple[Reading, ...]]) -> int:
        how = f"HistoryRead of {self.settings.connection.endpoint}"
        return await self._in_worker(self.historian.backfill, self.parts.plant.name, batch, readings, how)

    async def _in_worker(self, job: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, job, *arguments)

    async def untold(self, why: str) -> None:
        """Note that a notification did not arrive."""
        await self._event("notification", why)

    async def _event(self, kind: str, text: str) -> None:
        log.info(text, kind=kind)
        time = self.decision.time if self.decision else self.scan.snapshot.time if self.scan else None
        if time is not None:
            batch = self.scan.batch if self.scan else ""
            await self._in_worker(self.historian.event, time, self.parts.plant.name, batch, kind, text)

    # -- what people ask ---------------------------------------------------------------------------------------

    def _ask(self, intent: Intent) -> asyncio.Future[Ruling]:
        answer: asyncio.Future[Ruling] = asyncio.get_running_loop().create_future()
        self._requests.append((intent, answer))
        return answer

    @staticmethod
    def _ordered(requests: list[tuple[Intent, asyncio.Future[Ruling]]], decision: Decision) -> list[Ruling]:
        """The ruling on each request, in the order of the requests."""
        rulings = list(decision.rulings)
        found = []
        for intent, _ in requests:
            ruling = next((r for r in rulings if r.intent is intent), None)
            found.append(ruling or Ruling(intent, False, f"unknown request {intent.kind!r}"))
        return found

    async def submit(self, intent: Intent) -> Ruling:
        """Put a person's request before the next turn and wait for what became of it."""
        return await self._ask(intent)

    async def what_if(self, steps: Sequence[Step]) -> Considered | str:
        """What the twin and safety say of a plan by hand, or why not; the loop remembers nothing of it."""
        if self.decision is None:
            return "there is no scan yet to look ahead from"
        return await self._in_worker(what_if, self._memory, self.decision, steps, self.parts)

    async def subscribe(self) -> AsyncIterator[datetime]:
        """The process time of each turn, as it is taken."""
        queue: asyncio.Queue[datetime] = asyncio.Queue(maxsize=8)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)


def _heed_cancellation() -> None:
    """Stop if this task was asked to: asyncio.wait_for of Python 3.11 forgets it when its answer comes just then."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
