"""Replay: take every turn of a batch again, from what was recorded of it, and compare each Decision bit for bit.

Snapshot, situation and what the loop began with come from the historian; estimate, insight, forecasts, proposal,
verdict and command are computed anew with the reference backend, which gives the same numbers as Lava's. A replay
begins where the process began that was running when the batch started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controller.assembly import assemble
from controller.checkpoint import Checkpoint, memory_at
from controller.edge.historian import History
from controller.edge.historian.wire import encode
from controller.loop.mode_ladder import demoted
from controller.loop.records import Decision
from controller.loop.turn import Memory, Parts, perceive, turn
from controller.neurocore.core import NeuroCore, SnapshotMismatch
from controller.review.difference import Difference, first_difference
from controller.sessions import RELEARNED, TRACK_SPAN, Session, began, resumed, settings_of, versions
from controller.settings import Settings
from controller.support.user_error import UserError

EXACT = ("reference", "lava-fixed")  # backends whose numbers the reference gives bit for bit


class ReplayFault(UserError):
    """The batch cannot be replayed; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first decision that comes out otherwise than it was recorded."""

    number: int
    time: str
    batch: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found. `decisions` were compared, all of them equal unless `mismatch` says otherwise."""

    batch: str
    decisions: int
    sessions: int
    backend: str  # that the decisions were recorded with
    mismatch: Mismatch | None
    notes: tuple[str, ...]


def replay(history: History, plant: str, batch: str, progress: Callable[[int, int], None] | None = None) -> Replayed:
    """Replay a batch; raises ReplayFault when the record does not hold what is needed."""
    numbers = history.numbers(plant, batch)
    if numbers is None:
        known = ", ".join(history.batches(plant)[-8:]) or "none"
        raise ReplayFault(f"no decision of batch {batch!r} of {plant} is in {history.path}; it has: {known}")
    sessions = _sessions(history, plant, *numbers)
    compared, backend, mismatch = 0, "", None
    with _Player(history, sessions) as player:
        for number, decision in history.numbered(plant, sessions[0][0] + 1, numbers[1]):
            backend = _exact(decision)
            found = player.difference(number, decision)
            compared += 1
            if found is not None:
                mismatch = _mismatch(number, decision, found)
                break
            if progress:
                progress(number - sessions[0][0], numbers[1] - sessions[0][0])
    return Replayed(batch, compared, len(sessions), backend, mismatch, tuple(_notes(sessions)))


def replay_one(history: History, plant: str, batch: str, at: datetime) -> Replayed:
    """Take one decision again: the last of the batch at or before `at`. Raises ReplayFault when there is none.

    What was believed and learned by then is made again from what was read since the process began, and what was planned
    comes from the checkpoint before: no plan but the decision's own, and those since that checkpoint, is made again.
    """
    number = history.number_at(plant, batch, at)
    if number is None:
        when = f"{at:%Y-%m-%d %H:%M:%S}"
        raise ReplayFault(f"{history.path} holds no decision of batch {batch!r} of {plant} at or before {when}")
    sessions = _sessions(history, plant, number, number)
    with _Player(history, sessions) as player:
        found = history.checkpoint(plant, number, sessions[0][0])
        if found is not None:
            player.recall(*found)
        for n, decision in history.numbered(plant, (found[0] if found else sessions[0][0]) + 1, number):
            difference = player.difference(n, decision)
    mismatch = None if difference is None else _mismatch(number, decision, difference)
    return Replayed(batch, 1, len(sessions), _exact(decision), mismatch, tuple(_notes(sessions)))


def _mismatch(number: int, decision: Decision, difference: Difference) -> Mismatch:
    return Mismatch(number, f"{decision.time:%Y-%m-%d %H:%M:%S}", decision.situation.batch, difference)


def _sessions(history: History, plant: str, first: int, last: int) -> list[tuple[int, Session]]:
    """From the start of the process that was running when the batch began, to the batch's end."""
    found = [(after, session) for after, session in history.sessions(plant) if after < last]
    starts = [i for i, (after, session) in enumerate(found) if after < first and session.kind != RELEARNED]
    if not starts:
        raise ReplayFault(
            f"{history.path} does not hold what the loop began with at decision {first}: it was recorded by a version"
            " that did not keep it; batches recorded from now on can be replayed"
        )
    return found[starts[-1] :]


def _exact(decision: Decision) -> str:
    backend = decision.insight.backend
    if backend not in EXACT:
        raise ReplayFault(
            f"the decision of {decision.time:%Y-%m-%d %H:%M} was made with the backend {backend}, which is not"
            f" reproducible bit for bit; only those of {' and '.join(EXACT)} can be replayed"
        )
    return backend


def _notes(sessions: list[tuple[int, Session]]) -> Iterator[str]:
    now = versions()
    for _, session in sessions[:1]:
        for name, value in session.versions.items():
            if now.get(name) != value:
                yield f"recorded with {name} {value}, replayed with {now.get(name, 'none')}"


class _Player:
    """Takes the turns again: it holds the memory and the parts, and begins anew where the record says so."""

    def __init__(self, history: History, sessions: list[tuple[int, Session]]) -> None:
        self._history = history
        self._sessions = list(sessions)
        self._configured: Any = None
        self._settings: Settings | None = None
        self._parts: Parts | None = None
        self._core: NeuroCore | None = None
        self._rebuild: Callable[[], NeuroCore] | None = None
        self._memory = Memory(began())

    def __enter__(self) -> _Player:
        return self

    def __exit__(self, *_: object) -> None:
        if self._core is not None:
            self._core.close()

    def difference(self, number: int, recorded: Decision) -> Difference | None:
        """Take this turn again and compare."""
        self._begin_what_begins(number)
        again, self._memory = turn(self._memory, recorded.snapshot, recorded.situation, self._made())
        again = replace(again, insight=replace(again.insight, backend=recorded.insight.backend))
        return first_difference(encode(recorded), encode(again))

    def recall(self, number: int, point: Checkpoint) -> None:
        """Stand where the loop stood after decision `number`, without planning anything again."""
        for at, decision in self._history.numbered(self._sessions[0][1].plant, self._sessions[0][0] + 1, number):
            self._begin_what_begins(at)
            seen = perceive(self._memory, decision.snapshot, decision.situation, self._made())
            self._memory = replace(self._memory, track=seen.track, learned=seen.learned, clock=seen.clock)
        self._memory = memory_at(point, decision, self._memory.track, self._memory.learned)

    def _begin_what_begins(self, number: int) -> None:
        while self._sessions and self._sessions[0][0] < number:
            self._begin(self._sessions.pop(0)[1])

    def _made(self) -> Parts:
        if self._parts is None:
            raise ReplayFault("the record begins before anything that the loop began with")
        return self._parts

    def _begin(self, session: Session) -> None:
        if session.kind != RELEARNED or session.settings != self._configured:
            self._assemble(session)
        elif self._core is not None and self._rebuild is not None and self._parts is not None:
            self._core.close()
            self._core = self._rebuild()
            self._parts = replace(self._parts, core=self._core)
        if session.core_state is not None and self._core is not None:
            try:
                self._core.restore(session.core_state)
            except SnapshotMismatch:
                pass  # the loop set it aside then, too
        self._memory = self._remembered(session)

    def _assemble(self, session: Session) -> None:
        if self._core is not None:
            self._core.close()
        settings = settings_of(session)
        settings = replace(settings, neurocore=replace(settings.neurocore, backend="reference"))
        assembly = assemble(settings)
        self._parts, self._core, self._rebuild = assembly.parts, assembly.core, assembly.rebuild_core
        self._configured, self._settings = session.settings, settings

    def _remembered(self, session: Session) -> Memory:
        if session.kind == RELEARNED:
            ladder = demoted(self._memory.ladder, session.reason)
            return replace(self._memory, ladder=ladder, learned=None)
        if session.resumed_from is None:
            return Memory(began())
        batch = self._history.numbered(session.plant, 1, session.resumed_from, session.batch)
        decisions = [decision for _, decision in batch]
        last = decisions[-1]
        past = [d for d in decisions if d.time >= last.time - TRACK_SPAN]
        return resumed(last, past, session.time)
