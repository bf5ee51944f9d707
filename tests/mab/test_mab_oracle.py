"""The practical limit of the antibody plant: within the bounds, and above the recipe."""

from __future__ import annotations

from controller.assembly import envelope_of
from controller.campaign import closed_loop, oracle
from controller.processes import find
from controller.settings import load


def test_the_oracle_keeps_the_bounds_of_an_antibody_batch_and_makes_more_than_its_recipe() -> None:
    settings = load(find("mab").configuration)
    batches = [closed_loop.simulated(settings, 4) for _ in range(2)]
    alone = list(closed_loop.alone(settings, batches[0]))[-1].truth
    steered = list(oracle.steered(settings, batches[1], envelope_of(settings)))
    assert steered[-1].truth["product"] * steered[-1].truth["volume"] > 1.04 * alone["product"] * alone["volume"]
    assert max(scan.truth["osmolality"] for scan in steered) < 352.0
