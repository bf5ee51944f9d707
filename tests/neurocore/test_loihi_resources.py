"""What a network would take of a chip, and what is missing to run it there."""

from __future__ import annotations

from controller.bench import networks
from controller.neurocore import loihi
from controller.neurocore.design import Design
from controller.processes import find


def test_every_network_of_the_project_fits_one_core():
    rows = networks.resources(find("penicillin"))
    assert {(row["coding"], row["rule"]) for row in rows} == {(c, r) for c in networks.CODINGS for r in networks.RULES}
    assert [row["cores"] for row in rows] == [1] * 8
    rates = next(row for row in rows if row["network"] == "rates lif two-factor")
    assert rates["timesteps_per_scan"] == 16
    assert rates["synapses"] == rates["neurons"] * 4 - 4 * 12  # two teachers and one read-out for each of four outputs


def test_absent_synapses_take_no_memory_and_large_networks_take_more_cores():
    whole, sparse = loihi.resources(Design(130, 6)), loihi.resources(Design(130, 6, own=20))
    assert (whole["synapses"], sparse["synapses"]) == (780, 660)
    assert sparse["memory_kb"] < whole["memory_kb"]
    assert loihi.resources(Design(8000, 40))["cores"] > 1


def test_each_process_that_lacks_a_chip_model_is_named():
    lif = Design(8, 2, "lif", "two-factor")
    assert loihi.resources(lif)["lacking"] == "Teacher"
    sentence = loihi.why_not(lif, installed=True)
    assert "is installed" in sentence
    assert "Teacher: " in sentence
    assert "LIF:" not in sentence
