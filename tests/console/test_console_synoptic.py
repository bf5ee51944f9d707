"""Where the values stand in the drawing of the vessel."""

from __future__ import annotations

from itertools import combinations

import pytest

from controller.processes import find, shipped
from controller.settings import load
from hmi.console.synoptic import HIGH, WIDE, places
from twin.signals import Role

BOTH = {
    "base_flow": (6, 132),
    "weight": (6, 276),
    "oxygen_uptake_rate": (486, 20),
    "carbon_dioxide_evolution_rate": (486, 76),
    "dissolved_oxygen": (486, 150),
    "ph": (486, 206),
    "temperature": (486, 262),
}
WHERE = {
    "penicillin": BOTH
    | {"feed": (6, 20), "precursor_feed": (6, 76), "acid_flow": (6, 188), "air_flow": (6, 336)}
    | {"agitator_power": (246, 2), "foam_level": (486, 318)},
    "mab": BOTH
    | {"glucose_feed": (6, 20), "amino_feed": (6, 76), "oxygen_in_gas": (6, 336), "stirrer_speed": (246, 2)}
    | {"glucose_probe": (486, 318), "carbon_dioxide_in_gas": (486, 374)},
}


def overlap(one, other):
    return abs(one[0] - other[0]) < WIDE and abs(one[1] - other[1]) < HIGH


@pytest.mark.parametrize("plant", shipped())
def test_every_value_of_a_plant_has_a_place_and_covers_no_other(plant):
    drawn = {v.name: v.drawn or "" for v in load(find(plant).configuration).variable if v.role is not Role.ASSAYED}
    found = places(drawn)
    assert set(found) == set(drawn)
    assert not [pair for pair in combinations(found, 2) if overlap(found[pair[0]], found[pair[1]])]


def test_of_two_that_belong_to_one_place_the_second_gets_another():
    found = places({"agitator_power": "shaft", "stirrer_speed": "shaft"})
    assert not overlap(found["agitator_power"], found["stirrer_speed"])


def test_a_feed_leads_to_the_lid_and_what_names_no_part_stands_at_the_edge_without_a_line():
    found = places({"anything": "", "feed": "inlet"})
    assert found["feed"] == (6, 20, 262, 60)
    assert len(found["anything"]) == 2


def test_a_part_that_the_drawing_does_not_have_is_drawn_at_the_edge():
    assert len(places({"new": "cell_retention"})["new"]) == 2


@pytest.mark.parametrize("plant", shipped())
def test_the_shipped_drawings_are_as_they_were(plant):
    drawn = {v.name: v.drawn or "" for v in load(find(plant).configuration).variable if v.role is not Role.ASSAYED}
    assert {name: place[:2] for name, place in places(drawn).items()} == WHERE[plant]


def test_however_many_there_are_none_covers_another():
    found = places({f"probe_{k}": "" for k in range(40)})
    assert len(found) >= 16
    assert not [pair for pair in combinations(found.values(), 2) if overlap(*pair)]
