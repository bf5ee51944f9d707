"""The patient's dashboard asks for what a patient's turns record, and for nothing else."""

from __future__ import annotations

import re

from controller.commands.grafana import content_of
from controller.edge.historian.lineprotocol import lines
from controller.edge.historian.series import samples
from controller.patient.course import decide
from controller.patient.simulated import samples_of
from controller.patient.treatment import treatment_of
from controller.processes import find
from controller.settings import load
from hmi.grafana.dashboards import dashboards


def _recorded() -> set[tuple[str, str]]:
    """Measurement and field of everything that the turns of one patient record."""
    taken = samples_of("non-responder", 3)
    rows = [row for d in decide(taken, treatment_of(taken), "reference") for row in lines(d, samples(d))]
    found = set()
    for row in rows:
        keys, fields = re.split(r"(?<!\\) ", row, maxsplit=1)
        found |= {(keys.partition(",")[0], name) for name in re.findall(r"(\w+)=", fields)}
    return found


def test_every_query_of_the_patients_dashboard_finds_what_was_recorded() -> None:
    dashboard = dashboards(content_of(load(find("penicillin").configuration)))["patient"]
    queries = [target["query"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked = {
        (re.search(r'FROM "(\w+)"', query)[1], name)  # type: ignore[index]
        for query in queries
        for name in re.findall(r'"(\w+)"', query.partition(" FROM ")[0])
    }
    assert len(queries) > 5 and asked
    assert asked <= _recorded()
