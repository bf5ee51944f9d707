"""`neurotwin bench faults`: what notices each fault, how soon, and what the loop then does about it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.assembly import Assembly, assemble
from controller.bench.connection import lost_connection
from controller.bench.outcome import CONNECTION, Outcome
from controller.bench.rig import Rig, Turned
from controller.loop.records import Mode
from controller.processes import Process
from controller.settings import Settings, load, process_of
from plant_sim.faults import Fault
from twin.signals import Quality

AT_H, WITHIN_H = 72.0, 24.0  # of the batch: when each fault begins, and how long it is watched
SETTLED_H = 24.0  # the loop asks for auto from here on
AFTER_H = 8.0  # watched after the first notice, for what the loop does and what it might break
PLAN_EVERY_S = 4 * 3600.0  # design: a look ahead costs as much as a hundred scans


def faults_of(process: Process) -> Mapping[str, Fault]:
    """What breaks at AT_H, by name; nothing but the connection where nobody has studied the plant."""
    return process.study().faults if process.studied else {}


def settings(process: Process) -> Settings:
    """The configuration of its plant with the reference network, and a look ahead as often as a bench can afford."""
    shipped = load(process.configuration)
    loop = replace(shipped.loop, plan_every_s=PLAN_EVERY_S)
    return replace(shipped, neurocore=replace(shipped.neurocore, backend="reference"), loop=loop)


def rehearsed(of: Settings, assembly: Assembly, seed: int, until_h: float = AT_H) -> Rig:
    """A batch without faults, in auto as soon as its gates let it."""
    rig = Rig(of, replace_core(assembly), seed)
    while rig.batch.elapsed_s < 3600.0 * until_h - 1.0:
        rig.step(Mode.AUTO if rig.batch.elapsed_s >= 3600.0 * SETTLED_H else None)
    return rig


def replace_core(assembly: Assembly) -> Assembly:
    """The same assembly with a NeuroCore that has learned nothing yet."""
    core = assembly.rebuild_core()
    return replace(assembly, core=core, parts=replace(assembly.parts, core=core))


def signs(turned: Turned) -> frozenset[str]:
    """What is being told at one scan: readings that are not good, alarms that stand, and a loop that stepped down."""
    decision = turned.decision
    bad = {f"quality of {n}" for n, r in decision.snapshot.readings.items() if r.quality is not Quality.GOOD}
    alarms = {f"alarm {a.name}" for a in decision.alarms.alarms if a.active}
    demoted = {"demotion"} if decision.mode_reason.startswith("demoted") else set()
    return frozenset(bad | alarms | demoted)


def watch_healthy(rig: Rig, within_h: float = WITHIN_H) -> frozenset[str]:
    """Everything that is told of a batch in which nothing goes wrong; it does not count as a notice."""
    healthy, told = rig.copied(), frozenset[str]()
    while healthy.batch.elapsed_s < rig.batch.elapsed_s + 3600.0 * within_h:
        told |= signs(healthy.step(Mode.AUTO))
    return told


def outcome(rig: Rig, name: str, seed: int, usual: frozenset[str], within_h: float = WITHIN_H) -> Outcome:
    """Let one thing go wrong in a copy of this batch, and watch."""
    began_s = rig.batch.elapsed_s
    broken = rig.copied(replace(faults_of(process_of(rig.settings))[name], at_s=began_s))
    noticed: float | None = None
    by: tuple[str, ...] = ()
    limits: list[str] = []
    commands: set[str] = set()
    last: Turned | None = None
    while (hours := (broken.batch.elapsed_s - began_s) / 3600.0) < within_h:
        if noticed is not None and hours >= noticed + AFTER_H:
            break
        turned = broken.step()
        limits += broken_limits(rig.settings, last, turned)
        found = signs(turned) - usual
        if noticed is None and found:
            noticed, by = (broken.batch.elapsed_s - began_s) / 3600.0, tuple(sorted(found))
        if noticed is not None and turned.decision.command is not None:
            commands.add(turned.decision.command.id)
        last = turned
    if last is None:
        raise ValueError(f"{name} was watched for no time at all")
    decision = last.decision
    return Outcome(name, seed, noticed, by, decision.mode, decision.mode_reason, len(commands), tuple(limits))


def broken_limits(of: Settings, before: Turned | None, now: Turned) -> list[str]:
    """Hard limits that what is in force breaks, unless it is the plant's own recipe."""
    found = []
    for name, limit in of.limits.items():
        value, local = now.in_force[name], now.local[name]
        if value == local:
            continue
        slack = 1e-9 * limit.high
        if not limit.low - slack <= value <= limit.high + slack:
            found.append(f"{name} {value:g} outside {limit.low:g} to {limit.high:g} at {now.hours:.2f} h")
        if before is not None and abs(value - before.in_force[name]) > limit.max_step + slack:
            found.append(f"{name} moved by more than {limit.max_step:g} at {now.hours:.2f} h")
    return found


def row(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """One fault over all seeds."""
    hours = [o.hours for o in outcomes if o.hours is not None]
    by = Counter(sign for o in outcomes for sign in o.by)
    return {
        "seeds": len(outcomes),
        "detected": len(hours),
        "median_hours": statistics.median(hours) if hours else None,
        "worst_hours": max(hours) if hours else None,
        "hours": [o.hours for o in outcomes],
        "by": dict(by.most_common()),
        "modes": dict(Counter(o.mode for o in outcomes)),
        "reasons": [why for why, _ in Counter(o.why for o in outcomes).most_common(3)],
        "missed": [o.seed for o in outcomes if o.hours is None],
        "limits_broken": sum(bool(o.broken) for o in outcomes),
        "breaches": [f"seed {o.seed}: {sentence}" for o in outcomes for sentence in o.broken],
    }


def known(process: Process) -> tuple[str, ...]:
    """Every fault that this plant can have."""
    return (*faults_of(process), CONNECTION)


def faults(
    process: Process, progress: Callable[[str], None], seeds: Sequence[int], names: Sequence[str] = ()
) -> dict[str, Any]:
    """FAULT: how many of the seeds noticed it, by what, after how many hours, and what the loop did; all by default."""
    names = names or known(process)
    of = settings(process)
    assembly = assemble(of)
    found: dict[str, list[Outcome]] = {name: [] for name in names}
    false_alarms = Counter[str]()
    for seed in seeds:
        if inside := [name for name in names if name != CONNECTION]:
            rig = rehearsed(of, assembly, seed)
            usual = watch_healthy(rig)
            false_alarms.update(usual)
            for name in inside:
                found[name].append(outcome(rig, name, seed, usual))
        if CONNECTION in names:
            found[CONNECTION].append(lost_connection(of, seed))
        progress(f"seed {seed}: " + ", ".join(f"{n} {_told(o[-1])}" for n, o in found.items()))
    return {
        "at_h": AT_H,
        "watched_h": WITHIN_H,
        "after_h": AFTER_H,
        "scan_s": of.connection.scan_s,
        "seeds": [min(seeds), max(seeds)],
        "healthy": dict(false_alarms.most_common()),
        "faults": {name: row(outcomes) for name, outcomes in found.items()},
    }


def table(found: dict[str, Any]) -> str:
    """The table of docs/reference/faults.md."""
    lines = ["| fault | noticed | median h | worst h | by | the loop | limits broken |", "|" + 7 * "---|"]
    for name, r in found["faults"].items():
        hours = " | ".join("-" if r[k] is None else f"{r[k]:.2f}" for k in ("median_hours", "worst_hours"))
        by = ", ".join(sign for sign, count in r["by"].items() if 2 * count >= r["detected"]) or ", ".join(r["by"])
        modes = ", ".join(f"{mode} {count}" for mode, count in r["modes"].items())
        lines.append(
            f"| {name} | {r['detected']} of {r['seeds']} | {hours} | {by or '-'} | {modes} | {r['limits_broken']} |"
        )
    return "\n".join(lines)


def told(found: dict[str, Any]) -> str:
    """The table, and what was told of batches in which nothing went wrong."""
    usual = ", ".join(f"{sign} ({count})" for sign, count in found["healthy"].items()) or "nothing"
    return f"{table(found)}\n\nIn healthy batches, over {found['watched_h']:g} h: {usual}."


def _told(outcome: Outcome) -> str:
    return "-" if outcome.hours is None else f"{outcome.hours:.2f} h"
