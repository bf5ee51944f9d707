"""Where the values stand in the drawing of the vessel."""

from __future__ import annotations

from itertools import combinations

import pytest

from controller.processes import find
from controller.settings import load
from hmi.console.synoptic import HIGH, WIDE, places
from twin.signals import Role


def overlap(one, other):
    return abs(one[0] - other[0]) < WIDE and abs(one[1] - other[1]) < HIGH


@pytest.mark.parametrize("plant", ["penicillin", "mab"])
def test_every_value_of_a_plant_has_a_place_and_covers_no_other(plant):
    names = [v.name for v in load(find(plant).configuration).variables if v.role is not Role.ASSAYED]
    found = places(names)
    assert set(found) == set(names)
    assert not [pair for pair in combinations(found, 2) if overlap(found[pair[0]], found[pair[1]])]


def test_of_two_that_belong_to_one_place_the_second_gets_another():
    found = places(["agitator_power", "stirrer_speed"])
    assert not overlap(found["agitator_power"], found["stirrer_speed"])


def test_however_many_there_are_none_covers_another():
    found = places([f"probe_{k}" for k in range(40)])
    assert len(found) >= 16
    assert not [pair for pair in combinations(found.values(), 2) if overlap(*pair)]
