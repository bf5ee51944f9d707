"""The outcome of one fault in one batch: how soon it was noticed, by what, and what the loop then did."""

from __future__ import annotations

from dataclasses import dataclass

CONNECTION = "connection_loss"  # the fault that every plant has


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault in one batch."""

    fault: str
    seed: int
    hours: float | None  # from the fault to the first notice; None: not while it was watched
    by: tuple[str, ...]  # what noticed first
    mode: str  # of the loop at the end of the watch
    why: str
    written: int  # commands that changed a setpoint after the notice
    broken: tuple[str, ...]  # hard limits that were broken, a sentence each
