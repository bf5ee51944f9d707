"""The audit of a patient's suggestions: what a row holds, and that no row can change unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.records import Decision, Intent, Ruling
from controller.patient.advice.loop import DISCLAIMER
from controller.patient.audit import audit, of_decisions
from controller.patient.course import decide
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.scenario import Scenario, run
from controller.patient.simulated import samples_of
from controller.patient.trail import appended, head, verify

Patient = Callable[[str, int], Scenario]
Lines = tuple[str, ...]


@pytest.fixture(scope="module")
def seen(patient: Patient) -> Scenario:
    return patient("non-responder", 0)


@pytest.fixture(scope="module")
def decisions(seen: Scenario) -> list[Decision]:
    return decide(samples_of("non-responder", 0), seen.treatment, "reference")


@pytest.fixture(scope="module")
def lines(seen: Scenario, decisions: list[Decision]) -> Lines:
    return audit(seen, decisions)


def _rows(lines: Lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_every_suggestion_is_registered_in_order(seen: Scenario, lines: Lines) -> None:
    rows = _rows(lines)
    assert rows[0]["kind"] == "opened" and verify(lines) == []
    told = [row for row in rows if row["kind"] == "suggestion"]
    assert [(r["identity"]["id"], r["decision"]["reason"]) for r in told] == [
        (s.id, s.reason) for s in seen.suggestions
    ]
    assert [r["score"]["value"] for r in told] == [s.score for s in seen.suggestions]


def test_a_row_holds_all_that_the_suggestion_was_made_of(seen: Scenario, lines: Lines) -> None:
    row = _rows(lines)[-1]
    assert set(row) >= {
        "identity", "input", "score", "twin", "decision", "evidence", "prediction", "confidence", "disclaimer", "review"
    }  # fmt: skip
    assert row["disclaimer"] == DISCLAIMER and row["decision"]["written"] is False
    assert len(row["input"]["values"]) == 8 and row["input"]["missing"] == []
    assert set(row["score"]["components"]) == set("DVNA") and row["score"]["trigger"] in (["low"], ["fall"])
    for name in ("effect", "response", "clearance_l_per_h"):
        interval = row["twin"][name]
        assert interval["low90"] < interval.get("mean", interval.get("median")) < interval["high90"]
    assert set(row["prediction"]["without"]) == {"24_h", "72_h", "168_h"}
    assert {"mood", "stress", "sleep", "level"} <= set(row["prediction"]["with"]["24_h"])
    assert row["identity"]["software"].startswith("neurotwin ") and len(row["identity"]["parameters_sha256"]) == 64
    assert row["evidence"] and all(one["strength"] and one["citation"] for one in row["evidence"])


def test_missing_input_is_told_with_its_reason(seen: Scenario) -> None:
    rows = [replace(s, mood=None) if k == 9 else s for k, s in enumerate(samples_of("non-responder", 0)[:16])]
    row = _rows(of_decisions(decide(rows, seen.treatment, "reference"), seen.treatment, "x"))[-1]
    (missing,) = row["input"]["missing"]
    assert (missing["channel"], missing["quality"], missing["reason"]) == ("mood", "bad", "not reported")


def test_replaying_the_scenario_gives_the_same_audit(seen: Scenario, lines: Lines) -> None:
    assert audit(seen) == lines
    doctored = replace(seen, intervals=(replace(seen.intervals[0], mood=9.0), *seen.intervals[1:]))
    with pytest.raises(ValueError, match="replayed gives another score"):
        audit(doctored)


def test_a_run_with_drug_levels_is_replayed_with_them() -> None:
    levels = (Level(60.0, 35.0),)
    seen = run("responder", 0, samples_of("responder", 0)[:16], levels=levels)
    assert verify(audit(seen, levels=levels)) == []


def _change(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return "changed"
    return value + 1 if isinstance(value, (int, float)) else f"{value}."


def test_any_altered_field_of_any_row_is_found(lines: Lines) -> None:
    for number, line in enumerate(lines):
        row = json.loads(line)
        for key in row:
            altered = json.dumps({**row, key: _change(row[key])}, sort_keys=True, separators=(",", ":"))
            faults = verify([*lines[:number], altered, *lines[number + 1 :]])
            assert any(f"row {number} " in fault for fault in faults), key


def test_a_digit_deep_inside_a_row_is_found(lines: Lines) -> None:
    row = json.loads(lines[3])
    row["prediction"]["with"]["72_h"]["mood"]["median"] += 1e-9
    altered = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert verify([*lines[:3], altered, *lines[4:]]) == ["row 3 was altered: its hash is not that of its content"]


def test_a_row_left_out_put_in_or_moved_is_found(lines: Lines) -> None:
    assert any("row 2 does not follow" in fault for fault in verify([*lines[:2], *lines[3:]]))
    assert any("row 3 does not follow" in fault for fault in verify([*lines[:3], lines[2], *lines[3:]]))
    assert any("row 1 does not follow" in fault for fault in verify([lines[0], lines[2], lines[1], *lines[3:]]))
    assert any("row 0 does not follow" in fault for fault in verify(lines[1:]))
    assert verify([lines[0], "no JSON", *lines[2:]])[0] == "row 1 is no JSON object with a hash"


def test_a_chain_cut_short_or_made_anew_is_found_by_the_hash_that_was_kept(lines: Lines) -> None:
    kept = head(lines)
    assert verify(lines, kept) == []
    assert verify(lines[:-1]) == [] and "the last row is not the one that was kept" in verify(lines[:-1], kept)[0]
    anew: Lines = lines[:2]
    for line in lines[3:]:
        row = json.loads(line)
        anew = appended(anew, row["kind"], {k: v for k, v in row.items() if k not in {"previous", "hash", "sequence"}})
    assert verify(anew) == [] and verify(anew, kept)


def test_answers_and_what_was_observed_later_are_rows_of_their_own(
    seen: Scenario, decisions: list[Decision], lines: Lines
) -> None:
    first = seen.suggestions[0]
    at = decisions[first.index].time
    ruling = Ruling(Intent("accept", "Dr. Ito", at, first.id, reason="agreed"), True, "noted; nothing is ever written")
    answered = [replace(d, rulings=(ruling,)) if k == first.index else d for k, d in enumerate(decisions)]
    rows = _rows(of_decisions(answered, seen.treatment, "x"))
    assert rows[2]["kind"] == "answer" and rows[2]["suggestion"] == first.id == rows[1]["identity"]["id"]
    assert (rows[2]["by"], rows[2]["granted"], rows[2]["answer"]) == ("Dr. Ito", True, "accept")
    later = appended(lines, "outcome", {"suggestion": first.id, "at": at + timedelta(days=7), "mood": float("nan")})
    assert verify(later) == [] and json.loads(later[-1])["mood"] is None
    assert later[:-1] == lines
