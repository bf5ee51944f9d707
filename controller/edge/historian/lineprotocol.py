"""Line protocol of InfluxDB: a turn as its rows.

Measurements are those of `series`, and `quality` (0 good, 1 uncertain, 2 bad, by variable), `suggestion` and `alarm`;
tags are `plant` and `batch`; times are process times. An assay goes to `process` at its sampling time. An event
goes to `alarm`, as text in the field named after its kind. What dashboards need besides is in `explained`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from controller.edge.historian import explained
from controller.edge.historian.series import SeriesValue
from controller.edge.historian.times import to_us
from controller.loop.records import Abstention, Decision, Suggestion
from twin.signals import Assay

Fields = Mapping[str, float | int | str | None]


def lines(decision: Decision, samples: Sequence[SeriesValue]) -> Iterator[str]:
    """The rows of one turn."""
    plant, batch, t_ns = decision.plant, decision.situation.batch, 1000 * to_us(decision.time)
    for measurement, group in groupby(samples, key=lambda sample: sample.measurement):
        fields: Fields = {s.field: s.value for s in group}
        if measurement == "neurocore":
            fields = {**fields, **explained.network(decision)}
        yield from line(measurement, plant, batch, fields, t_ns)
    quality = {s.field: int(s.quality) for s in samples if s.measurement == "process"}
    yield from line("quality", plant, batch, quality, t_ns)
    yield from line("suggestion", plant, batch, _suggested(decision), t_ns)
    yield from line("alarm", plant, batch, explained.standing(decision), t_ns)
    yield from _foreseen(decision)
    for assay in decision.snapshot.assays:
        yield from _assayed(plant, batch, assay)


def _foreseen(decision: Decision) -> Iterator[str]:
    """What was just forecast, at the time that it speaks of, to be seen beside what comes of it."""
    named = (("estimate", decision.baseline, "forecast"), ("suggestion", decision.proposed, "predicted"))
    for measurement, forecast, suffix in named:
        if forecast is not None and forecast.made_at == decision.time and (found := explained.ahead(forecast, suffix)):
            at, fields = found
            yield from line(measurement, decision.plant, decision.situation.batch, fields, 1000 * to_us(at))


def _assayed(plant: str, batch: str, assay: Assay) -> Iterator[str]:
    t_ns = 1000 * to_us(assay.sampled_at)
    yield from line("process", plant, batch, {assay.variable: float(assay.value)}, t_ns)
    yield from line("quality", plant, batch, {assay.variable: int(assay.quality)}, t_ns)
    # Several are drawn at once: the number of each variable keeps their rows apart.
    apart = zlib.crc32(assay.variable.encode()) % 1_000_000
    yield from line("alarm", plant, batch, explained.drawn(assay), t_ns + apart)


def reading_lines(plant: str, batch: str, samples: Sequence[SeriesValue], t_us: int) -> Iterator[str]:
    """The rows of readings of one instant that were fetched later than their turn."""
    yield from line("process", plant, batch, {s.field: s.value for s in samples}, 1000 * t_us)
    yield from line("quality", plant, batch, {s.field: int(s.quality) for s in samples}, 1000 * t_us)


def _suggested(decision: Decision) -> Fields:
    """The numbers of the proposal at every turn; its words only at the turn that made it."""
    proposal = decision.proposal
    fields: dict[str, float | int | str | None] = {}
    if isinstance(proposal, Suggestion):
        fields["open"] = int(decision.open)
        held = proposal.plan.steps[0].inputs if proposal.plan.steps else {}
        fields |= {name: float(value) for name, value in held.items()}
        fields |= {move.variable: float(move.value) for move in proposal.moves}
        if proposal.effect is not None:
            effect = proposal.effect
            fields |= {"gain": effect.gain, "gain_low": effect.gain_low, "gain_high": effect.gain_high}
        if proposal.made_at == decision.time:
            fields |= {"id": proposal.id, "kind": proposal.kind, "reason": proposal.reason}
    if isinstance(proposal, Abstention) and proposal.made_at == decision.time:
        fields["abstention"] = proposal.reason
    return fields


def event_line(plant: str, batch: str, kind: str, text: str, t_us: int, number: int) -> Iterator[str]:
    """The row of one event; its number keeps two of the same microsecond apart."""
    return line("alarm", plant, batch, {kind: text}, 1000 * t_us + number % 1000)


def line(measurement: str, plant: str, batch: str, fields: Fields, t_ns: int) -> Iterator[str]:
    """One row of line protocol, or none when no field has a value: the protocol has neither NaN nor empty tags."""
    written = [f"{_key(name)}={_value(value)}" for name, value in fields.items() if _present(value)]
    tags = "".join(f",{name}={_tag(value)}" for name, value in (("batch", batch), ("plant", plant)) if value)
    if written:
        yield f"{measurement}{tags} {','.join(written)} {t_ns}"


def _present(value: float | str | None) -> bool:
    return value is not None and (isinstance(value, str) or math.isfinite(value))


def _value(value: float | int | str | None) -> str:
    if isinstance(value, str):
        flat = _flat(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{flat}"'
    return f"{value}i" if isinstance(value, int) else repr(value)


def _key(name: str) -> str:
    # A backslash before one of the escaped characters cannot be expressed in a key or a tag.
    plain = _flat(name).replace("\\", "/")
    return plain.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


_tag = _key  # the same characters are special in both


def _flat(text: str) -> str:
    """Text on one line: a row ends at the end of its line."""
    return " ".join(text.split()) if any(ord(c) < 32 for c in text) else text
