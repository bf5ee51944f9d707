"""Records survive the way to JSON and back exactly."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError

from controller.edge.historian.wire import decode, decode_as, decode_snapshot, encode, expand, shrink
from controller.loop.records import Abstention, Decision, Intent, Mode, Ruling, Suggestion
from twin.records import Band, Forecast, Latch, Plan, Step
from twin.signals import Assay, Quality, Reading, Snapshot


def bits(value: float | None) -> bytes | None:
    """A float's eight bytes: tells 0.0 from -0.0 and finds NaN equal to NaN."""
    return None if value is None else struct.pack("<d", value)


def test_a_decision_comes_back_equal_and_of_the_same_classes(decision: Callable[..., Decision]) -> None:
    intent = Intent("mode", "A. Keller", datetime(2026, 1, 1, 3, tzinfo=UTC), mode=Mode.AUTO, reason="trial")
    asked = decision(7, rulings=(Ruling(intent, False, "not yet"),), notes=("demoted",))
    # NaN is not equal to itself, so the population is compared apart
    back = decode(encode(asked))
    assert replace(back, insight=asked.insight) == asked
    assert type(back.proposal) is Suggestion
    assert type(back.mode) is Mode
    assert type(back.rulings[0].intent.mode) is Mode
    assert type(next(iter(back.snapshot.readings.values())).quality) is Quality


def test_the_unused_centres_of_the_population_come_back_as_nan(decision: Callable[..., Decision]) -> None:
    sent = decision()
    back = decode(encode(sent)).insight.correction.population
    there = sent.insight.correction.population
    assert [[bits(x) for x in row] for row in back.centres] == [[bits(x) for x in row] for row in there.centres]


def test_an_abstention_is_not_taken_for_a_suggestion(decision: Callable[..., Decision], abstention: Abstention) -> None:
    back = decode(encode(decision(proposal=abstention))).proposal
    assert back == abstention
    assert type(back) is Abstention


@given(st.one_of(st.none(), st.floats()), st.datetimes(timezones=st.just(UTC)), st.sampled_from(Quality))
def test_every_float_and_every_instant_come_back_bit_for_bit(
    value: float | None, at: datetime, quality: Quality
) -> None:
    sent = Snapshot(at, {"ph": Reading(value, "pH", at, quality, "because, é\n")})
    back = decode_as(Snapshot, encode(sent))
    assert back.time == sent.time
    assert back.time.utcoffset() == timedelta(0)
    [(name, reading)] = back.readings.items()
    assert (name, reading.unit, reading.time, reading.reason) == ("ph", "pH", at, "because, é\n")
    assert reading.quality is quality
    assert type(reading.value) is (type(None) if value is None else float)
    if value is not None and math.isnan(value):
        assert reading.value is not None
        assert math.isnan(reading.value)
    else:
        assert bits(reading.value) == bits(value)


@given(st.lists(st.floats(allow_nan=False), min_size=5, max_size=5), st.floats(allow_nan=False))
def test_a_forecast_comes_back_equal(values: list[float], objective: float) -> None:
    at = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    band = Band(*((value,) for value in values))
    plan = Plan((Step(at, {"feed": 0.04}),), at, Latch("feed", "substrate", 0.3))
    sent = Forecast(at, plan, (at,), {"product": band}, (objective,), "product", "g")
    assert decode_as(Forecast, encode(sent)) == sent


def test_only_the_snapshot_can_be_read(decision: Callable[..., Decision]) -> None:
    sent = decision(3)
    assay = Assay("biomass", 12.5, "g/L", sent.time - timedelta(hours=4), sent.time, Quality.UNCERTAIN)
    sent = replace(sent, snapshot=replace(sent.snapshot, assays=(assay,)))
    assert decode_snapshot(encode(sent)) == sent.snapshot


def test_numbers_of_numpy_become_plain_floats_and_views_become_dicts(decision: Callable[..., Decision]) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    numbers = (np.float64(0.1), np.float32(0.1), np.int64(3))
    sent = Snapshot(at, MappingProxyType({str(i): Reading(x, "", at, Quality.GOOD) for i, x in enumerate(numbers)}))
    back = decode_as(Snapshot, encode(sent))
    assert type(back.readings) is dict
    assert [type(r.value) for r in back.readings.values()] == [float] * 3
    assert [r.value for r in back.readings.values()] == [0.1, float(np.float32(0.1)), 3.0]


def test_what_is_no_number_and_no_text_is_refused_by_name() -> None:
    with pytest.raises(PydanticSerializationError, match="holds a Lock"):
        encode({"worker": asyncio.Lock()})


def test_large_records_are_stored_compressed_and_small_ones_as_they_are(decision: Callable[..., Decision]) -> None:
    large, small = encode(decision(readings=40)), encode(Intent("accept", "A", datetime(2026, 1, 1, tzinfo=UTC)))
    assert expand(shrink(large)) == large
    assert len(shrink(large)) < len(large) / 2
    assert shrink(small) == small == expand(small)
