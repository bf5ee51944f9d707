"""A regimen: single doses in a cycle, the daily dose they make, and what recorded doses show of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.patient.recorded import recorded
from controller.patient.regimen import DAY_H, Intake, Regimen, Source, by_the_clock, every, together

DAY_1 = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday


def _hours(hours: float) -> datetime:
    return DAY_1 + timedelta(hours=hours)


CYCLES = st.lists(st.tuples(st.integers(0, 23), st.sampled_from([2.5, 5.0, 12.5, 20.0])), min_size=1, max_size=4)


@given(CYCLES, st.sampled_from([24.0, 48.0, 168.0]), st.floats(1.0, 400.0))
def test_another_daily_dose_keeps_the_hours_and_what_comes_in_any_day_never_exceeds_its_greatest(
    cycle: list[tuple[int, float]], period_h: float, daily_mg: float
) -> None:
    own = Regimen("a drug", tuple(Intake(at, mg) for at, mg in sorted(dict(cycle).items())), period_h, DAY_1)
    other = own.with_daily(daily_mg)
    assert other.daily_mg == pytest.approx(daily_mg)
    assert [i.at_h for i in other.cycle] == [i.at_h for i in own.cycle]
    taken = other.doses(DAY_1, DAY_1 + timedelta(days=30))
    for begin, _ in taken:
        for days in (1, 7):
            within = math.fsum(mg for at, mg in taken if begin <= at < begin + timedelta(days=days))
            assert within <= other.most_mg(DAY_H * days) * (1 + 1e-9)


def test_a_single_dose_is_not_a_daily_dose() -> None:
    assert every("a drug", 12.5, 12.0).daily_mg == 25.0 and str(every("a drug", 12.5, 12.0)).endswith("25 mg a day")
    assert every("a drug", 20.0, 48.0).daily_mg == 10.0 and every("a drug", 20.0, 48.0).most_mg(24.0) == 20.0
    assert str(every("a drug", 10.0)) == "10 mg every 24 h"


def test_a_day_is_even_when_it_is_like_the_others() -> None:
    assert every("a drug", 12.5, 12.0).even and by_the_clock("a drug", (Intake(8, 5), Intake(20, 10)), 24, DAY_1).even
    assert not every("a drug", 20.0, 48.0).even and not every("a drug", 5.0, as_needed=True).even


def test_doses_begin_with_the_start_and_end_with_the_end() -> None:
    regimen = every("a drug", 5.0, 12.0, start=_hours(0), end=_hours(36))
    assert [at for at, _ in regimen.doses(_hours(-48), _hours(96))] == [_hours(h) for h in (0, 12, 24, 36)]
    assert regimen.doses(_hours(12), _hours(24)) == [(_hours(12), 5.0)]
    assert every("a drug", 5.0, as_needed=True, start=DAY_1).doses(_hours(0), _hours(48)) == []


def test_hours_of_the_day_and_of_the_week_begin_with_the_next_one() -> None:
    daily = by_the_clock("a drug", (Intake(7, 5.0), Intake(19, 10.0)), 24.0, DAY_1)
    assert daily.start == _hours(11) and [i.mg for i in daily.cycle] == [10.0, 5.0]
    weekly = by_the_clock("a drug", (Intake(3 * 24 + 8, 90.0),), 168.0, DAY_1)
    assert weekly.start == _hours(72) and weekly.doses(DAY_1, _hours(500))[1][0] == _hours(72 + 168)


def test_what_is_taken_side_by_side_is_one_regimen() -> None:
    morning, evening = every("a drug", 10.0, start=_hours(0)), every("a drug", 20.0, start=_hours(12))
    assert together([evening, morning]).cycle == (Intake(0.0, 10.0), Intake(12.0, 20.0))
    with pytest.raises(ValueError, match="not read as one"):
        together([morning, every("a drug", 10.0, as_needed=True, start=_hours(0))])


def _taken(*hours_and_mg: tuple[float, float]) -> list[tuple[datetime, float]]:
    return [(_hours(h), mg) for h, mg in hours_and_mg]


def test_recorded_doses_show_how_often_and_how_much() -> None:
    (twice,) = recorded("a drug", _taken(*((12.0 * k, 12.5) for k in range(20))))
    assert str(twice) == "12.5 mg every 12 h, 25 mg a day" and twice.source is Source.RECORDED
    (second,) = recorded("a drug", _taken(*((48.0 * k, 20.0) for k in range(9))))
    assert second.daily_mg == 10.0
    (uneven,) = recorded("a drug", _taken(*((24.0 * k + h, mg) for k in range(5) for h, mg in ((0, 10.0), (11, 20.0)))))
    assert uneven.daily_mg == 30.0 and len(uneven.cycle) == 2
    assert recorded("a drug", _taken((0.0, 0.0))) == ()


def test_missed_doses_change_no_regimen_and_another_dose_begins_a_new_one() -> None:
    (missed,) = recorded("a drug", _taken(*((12.0 * k, 12.5) for k in range(20) if k not in (3, 8, 9))))
    assert missed.daily_mg == 25.0
    raised = recorded("a drug", _taken(*((24.0 * k, 5.0 if k < 7 else 10.0) for k in range(20))))
    assert [(r.daily_mg, r.start) for r in raised] == [(5.0, DAY_1), (10.0, _hours(7 * 24))]
    less = recorded(
        "a drug", _taken(*((12.0 * k, 5.0) for k in range(20)), *((240.0 + 24.0 * k, 5.0) for k in range(5)))
    )
    assert [r.daily_mg for r in less] == [10.0, 5.0]


def test_an_hour_more_or_less_changes_no_regimen() -> None:
    jitter = [0.0, 1.5, -2.0, 0.5, -1.0, 2.0, -0.5, 1.0]
    (own,) = recorded("a drug", _taken(*((12.0 * k + jitter[k % 8], 10.0) for k in range(24))))
    assert own.daily_mg == 20.0
