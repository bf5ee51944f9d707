"""Where a plant does not look after itself AUTO is refused and given up, with the sentence, and ADVISORY is not."""

from __future__ import annotations

from typing import Any

from controller.loop.records import Mode

WHY = "auto needs a plant that goes back to its own recipe by itself"
FOUND = {"loop.no_auto": WHY}


def test_auto_is_given_up_with_the_sentence_and_not_granted_again(bench_of: Any) -> None:
    plant = bench_of(Mode.AUTO)
    assert plant.scan().mode is Mode.AUTO
    decision = plant.scan(conditions=FOUND)
    assert (decision.mode, WHY in decision.mode_reason) == (Mode.ADVISORY, True)
    asked = plant.scan(plant.asks("mode", mode=Mode.AUTO), conditions=FOUND)
    assert not asked.rulings[0].granted and WHY in asked.rulings[0].reason
    assert plant.scan(plant.asks("mode", mode=Mode.AUTO)).mode is Mode.AUTO


def test_advisory_is_granted(bench_of: Any) -> None:
    plant = bench_of(Mode.SHADOW)
    assert plant.scan(plant.asks("mode", mode=Mode.ADVISORY), conditions=FOUND).mode is Mode.ADVISORY
