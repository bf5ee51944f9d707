"""Control loop at run time: wait for a scan, take a turn, journal it, only then act on it, and tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.edge.actuator import Actuator, Done
from controller.edge.advice import AdviceLog
from controller.edge.alarm_dispatch import Announcer
from controller.edge.event_journal import EventJournal
from controller.edge.event_log import happened
from controller.edge.gap_ledger import Absences
from controller.edge.historian import Historian
from controller.edge.kept_core import KeptCore
from controller.edge.opcua import PlantLink, Scan
from controller.edge.opcua.supervision import against_auto, unsupervised
from controller.edge.outage import Outage
from controller.edge.outage_backfill import CatchingUp
from controller.edge.polling import Poller
from controller.edge.requests import Requests, answer
from controller.edge.scan_clock import ScanClock
from controller.edge.situation import situation_of
from controller.edge.subscription import Subscription
from controller.edge.turn_taker import TurnTaker
from controller.edge.worker import Worker
from controller.loop.mode_ladder import Ladder
from controller.loop.records import Decision, Intent, Mode, Ruling, Situation
from controller.loop.turn import Parts, what_if
from controller.loop.what_if import Considered
from controller.neurocore.core import NeuroCore
from controller.settings import Settings
from twin.records import Step

WHAT_IFS = 4  # that are under way or wait, one at a time; each takes some tenths of a second (design)


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
        self.scan: Scan | None = None
        self.decision: Decision | None = None
        self.notice = "starting"
        self.counts, self.advice, self.announcer = Counts(), AdviceLog(), Announcer(parts.alarms)
        self.clock = ScanClock(settings.connection)
        self._link, self._actuator = link, Actuator(link)
        self._worker, self._requests, self._subscription = Worker(), Requests(), Subscription()
        self._looking = Worker("what-if", WHAT_IFS)
        absences = Absences(historian, parts.plant.name, settings.connection.scan_s)
        self.outage = Outage(absences, self.announcer, self._worker)
        self._journal = EventJournal(historian, parts.plant.name, self._worker)
        kept = KeptCore(core, rebuild_core, self.counts.neurocore_ms)
        self._turns = TurnTaker(settings, parts, kept, historian, absences)
        self._catching_up = CatchingUp(link, settings.connection, self._journal)
        self._poller = Poller(link, settings.connection, self.clock, self._requests, self.outage, self._journal)

    @property
    def parts(self) -> Parts:
        """What the loop is made of now; NeuroCore may have been replaced."""
        return self._turns.parts

    @property
    def ladder(self) -> Ladder:
        """Where the loop stands on the mode ladder."""
        return self._turns.memory.ladder

    # -- the wheel ---------------------------------------------------------------------------------------------

    async def run(self, until_hours: float | None = None, wanted: Mode | None = None) -> None:
        """Turn until cancelled, or until the batch is `until_hours` old; ask for mode `wanted` at the first scan."""
        try:
            seen, last = await self._worker.do(self._turns.left)
            self._link.assays_seen.update(seen)
            if last is not None:
                self._link.resume(last)
            scan = await self._poller.next_scan()
            await self._resume(scan)
            if wanted is not None:
                start = Intent("mode", "command line", scan.snapshot.time, mode=wanted, reason="asked at start")
                self._requests.put(start)
            first = scan.batch_start or scan.snapshot.time
            while True:
                await self._one(scan)
                if until_hours is not None and scan.snapshot.time - first >= timedelta(hours=until_hours):
                    return
                scan = await self._poller.next_scan()
        finally:
            await self._leave()

    async def _one(self, scan: Scan) -> None:
        """One scan: take the turn, which journals it, act on it, tell whoever asked or listens."""
        unsettled = self._link.settling  # as of the scan, which came before
        if self.decision is not None:
            await self._enter(self.decision, await self._actuator.settle())
        requests = self._requests.take()
        situation = self._situation(scan, tuple(request.intent for request in requests), unsettled)
        decision = await self._worker.do(self._turns.take, scan, situation)
        self._catching_up.seen(scan.batch, scan.snapshot.time)
        before = self.decision
        self._seen(scan, decision)
        for kind, text in happened(before, decision):
            await self._journal.event(kind, text)
        self.announcer.turn(decision)
        answer(requests, decision, await self._act(decision))
        self._subscription.tell(decision.time)

    def _situation(self, scan: Scan, intents: tuple[Intent, ...], unsettled: tuple[str, ...]) -> Situation:
        """With what only the edge knows: faults that forbid writing, and conditions for the alarms, each a sentence."""
        unread = "" if self._link.resynchronised else "the link has only just come back"
        supervision = self._link.supervision
        faults = (*self._actuator.faults, *(told for told in (unread, self._link.rival, supervision) if told))
        found = {
            "loop.readback": "; ".join(self._actuator.faults),
            "loop.link": self.outage.take(),
            "loop.supervision": supervision,
            "loop.unsupervised": "; ".join(unsupervised(self.settings)),
            "loop.no_auto": against_auto(self.settings, self._link.forbidden),
        }
        heard = {name: told for name, told in found.items() if told}
        return situation_of(scan, self.settings, intents, faults, heard, unsettled)

    def _seen(self, scan: Scan, decision: Decision) -> None:
        self.scan, self.decision = scan, decision
        self.clock.turned(scan.snapshot.time, decision.time)
        self._journal.reached(decision.time, scan.batch)
        self.advice.follow(decision)
        self.counts.scans += 1
        self.counts.lapses = scan.lapses or 0
        self.notice = decision.notes[-1] if decision.notes else ""

    async def _act(self, decision: Decision) -> Done:
        """Do what the Decision says; it is already in the historian."""
        done = await self._actuator.act(decision, self.clock.due_at())
        await self._enter(decision, done)
        return done

    async def _enter(self, decision: Decision, done: Done) -> None:
        """Count, journal and audit what became of a Decision at the plant."""
        self.counts.commands_written += done.written
        self.counts.commands_refused += done.refused
        for kind, text in done.events:
            await self._journal.event(kind, text)
        if done.events:
            await self._worker.do(self._turns.audit, decision, done.events)

    # -- before and after --------------------------------------------------------------------------------------

    async def _resume(self, scan: Scan) -> None:
        past = await self._worker.do(self._turns.resume, scan)
        if past:
            self._catching_up.resumed(past[-1].time)
            self.advice.replay(past)
            self._actuator.take_over(self._turns.memory.standing)

    async def _leave(self) -> None:
        """Close what was opened. Setpoints are left to their lease: a restart within it takes them up again."""
        self._requests.cancel()
        await self._catching_up.close()
        await self._worker.do(self._turns.close)
        self._worker.close()
        await asyncio.to_thread(self._looking.close)

    # -- what people ask ---------------------------------------------------------------------------------------

    async def submit(self, intent: Intent) -> Ruling:
        """Put a person's request before the next turn and wait for what became of it."""
        return await self._requests.put(intent)

    async def what_if(self, steps: Sequence[Step]) -> Considered | str:
        """What the twin and safety say of a plan by hand, or why not; the loop remembers nothing of it.

        It has a thread of its own, so that no turn waits for it: a what-if changes nothing, and reads what no turn
        changes. Busy when too many wait already.
        """
        if self.decision is None:
            return "there is no scan yet to look ahead from"
        return await self._looking.do(what_if, self._turns.memory, self.decision, steps, self.parts)

    def subscribe(self) -> AsyncIterator[datetime]:
        """The process time of each turn, as it is taken."""
        return self._subscription.listen()

    async def untold(self, why: str) -> None:
        """Note that a notification did not arrive."""
        await self._journal.event("notification", why)
