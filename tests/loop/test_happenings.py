"""What a turn adds to the events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from controller.bench.turns import decision
from controller.edge.event_log import happened
from controller.loop.records import Intent, Ruling, Sample
from twin.signals import Assay

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = decision(AT, 3)


def ruled(kind, granted=True, sample=None):
    asked = Intent(kind, "omar", AT, reason="because", sample=sample)
    return list(happened(NOW, replace(NOW, rulings=(Ruling(asked, granted, "done"),))))


def test_a_phase_is_told_when_it_begins_and_only_then():
    grown = replace(NOW, situation=replace(NOW.situation, phase="growth"))
    assert list(happened(None, NOW)) == []
    assert list(happened(NOW, NOW)) == []
    assert list(happened(grown, NOW)) == [("phase", "production")]


def test_what_was_asked_is_told_with_its_reason():
    assert ruled("mode") == [("mode", "omar: done (because)")]


def test_a_late_result_is_no_new_sample_and_a_refused_entry_is_neither():
    result = Assay("biomass", 3.0, "g/L", AT, AT)
    assert ruled("sample", sample=Sample(AT, 0.02, (result,)))[0][0] == "sample"
    assert ruled("sample", sample=Sample(AT, 0.0, (result,)))[0][0] == "assay"
    assert ruled("sample", granted=False, sample=Sample(AT, 0.02, (result,)))[0][0] == "loop"
    assert ruled("note", granted=False)[0][0] == "loop"


def test_a_phase_that_ends_as_planned_is_no_matter_of_the_loop():
    notes = ("phase growth is over; production begins", "NeuroCore was started anew")
    assert list(happened(NOW, replace(NOW, notes=notes))) == [("recipe", notes[0]), ("loop", notes[1])]
