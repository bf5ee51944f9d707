"""Steering: setpoints held, restarted, or on their way back to the plant's own recipe, as the batch's state asks."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from controller.loop.batch import HOLDS, lost, settled, within_phase
from controller.loop.batch_records import BatchRecord, BatchState
from controller.loop.hold import Hold, hold
from controller.loop.parts import Parts
from controller.loop.records import Command, Mode, Ruling
from controller.loop.standing_command import Terms, ramp

AT_REST = (BatchState.IDLE, BatchState.STOPPED, BatchState.ABORTING, BatchState.ABORTED, BatchState.COMPLETE)


def in_phase(parts: Parts, batch: BatchRecord | None) -> Parts:
    """The parts with the envelope narrowed to the present phase of the recipe."""
    if parts.recipe is None:
        return parts
    return replace(parts, envelope=within_phase(parts.envelope, parts.recipe, batch))


class Steered(NamedTuple):
    """Setpoints on the way to where they shall rest, and what is to be said of it."""

    standing: Command | None
    batch: BatchRecord | None
    notes: tuple[str, ...] = ()
    hold: Hold | None = None  # of a batch that is holding or held


def steered(standing: Command | None, batch: BatchRecord | None, terms: Terms, parts: Parts) -> Steered:
    """Setpoints held, restarted, or on their way back to the plant's own recipe."""
    passive, now = terms.mode in (Mode.OFF, Mode.SHADOW), terms.snapshot.time
    state = batch.state if batch else None
    if batch is not None and state in AT_REST:
        note = (f"the setpoints were given back at once: the batch is {state}",) if standing else ()
        return Steered(None, settled(batch, now), note)
    if batch is not None and state in HOLDS:
        return _held(standing, batch, terms, parts)
    if passive or state is BatchState.STOPPING:
        why = f"the mode is {terms.mode}" if passive else f"the batch is {state}"
        command, notes, arrived = _handed_back(standing, why, terms)
        return Steered(command, settled(batch, now) if batch and arrived else batch, notes)
    if batch is None or state is not BatchState.RESTARTING:
        return Steered(standing, batch)
    narrowed = replace(terms, envelope=in_phase(parts, batch).envelope)
    ramped = ramp(standing, "restart", batch.resume, batch.reason, narrowed)
    return Steered(ramped.command, settled(batch, now) if ramped.arrived else batch, ramped.kept)


def _handed_back(standing: Command | None, why: str, terms: Terms) -> tuple[Command | None, tuple[str, ...], bool]:
    """The setpoints one step nearer to the plant's own, what is to be said, and whether they are there."""
    ramped = ramp(standing, "handback", terms.situation.local, why, terms)
    given = (f"the setpoints were given back to the plant's own recipe: {why}",) if standing else ()
    return ramped.command, given if ramped.command is None else ramped.kept, ramped.arrived


def _held(standing: Command | None, batch: BatchRecord, terms: Terms, parts: Parts) -> Steered:
    """Held means that the hold's setpoints are read back in force, at each scan anew."""
    targets = parts.recipe.hold if parts.recipe and parts.recipe.hold else batch.resume
    found, now = hold(standing, targets, batch.reason, terms), terms.snapshot.time
    command, notes = found.command, tuple[str, ...]()
    if terms.mode in (Mode.OFF, Mode.SHADOW):
        command, notes, _ = _handed_back(standing, f"the mode is {terms.mode}", terms)
    if found.in_force:
        return Steered(command, settled(batch, now), notes, found)
    if batch.state is BatchState.HELD:
        notes = (*notes, f"the hold is not in force any more: {'; '.join((*found.stuck, *found.moving))}")
    return Steered(command, lost(batch, now), notes, found)


def told_of_hold(rulings: tuple[Ruling, ...], found: Hold | None) -> tuple[Ruling, ...]:
    """What a person hears who asked to hold: whether it acts, and what is to be done by hand where it cannot."""
    if found is None or found.in_force:
        return rulings
    said = f"it cannot act: {'; '.join(found.stuck)}" if found.stuck else f"on the way: {'; '.join(found.moving)}"
    return tuple(
        replace(r, reason=f"{r.reason}; {said}") if r.granted and r.intent.kind == "hold" else r for r in rulings
    )
