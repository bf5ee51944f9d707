"""Names that a server gives, such as a batch's, are never a way out of the folder that files are written to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from controller.commands.export import export
from controller.commands.report import report
from controller.edge.historian import Historian
from controller.loop.records import Decision
from controller.processes import find
from controller.settings import load
from controller.support.slug import slug

HOSTILE = ("../../LOT/3", "/etc/passwd", "..", "", "-rf", "a\nb\x1b[31m", "x" * 300, "LOT 3/über", "..\\..\\LOT")


@given(st.one_of(st.sampled_from(HOSTILE), st.text()))
def test_a_slug_is_one_part_of_a_path_and_stays_in_its_folder(name: str) -> None:
    found = slug(name)
    assert (Path("/a/b") / found).resolve().parent == Path("/a/b")
    assert found.isprintable() and not found.startswith("-") and len(found) <= 100
    assert slug(found) == found


def test_an_ordinary_name_stays_as_it_is() -> None:
    assert [slug(name) for name in ("SIM-011", "LOT_3.2", "Charge42")] == ["SIM-011", "LOT_3.2", "Charge42"]


def test_report_and_export_of_a_batch_with_a_path_for_a_name_stay_in_the_folder(
    tmp_path: Path, decision: Callable[..., Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, config = tmp_path / "a" / "b", tmp_path / "plant.toml"
    here.mkdir(parents=True)
    content = find("penicillin").content() | {"historian": {"path": "plant.sqlite"}}
    config.write_text(tomli_w.dumps(content))
    batch, settings = "../../LOT/3", load(config)
    with Historian(settings.historian_path()) as historian:
        made = decision(0)
        situation = replace(made.situation, batch=batch)
        historian.record(replace(made, plant=settings.plant.name, situation=situation))
    before = set(tmp_path.rglob("*"))
    monkeypatch.chdir(here)
    export(batch, config)
    report(batch, config)
    assert {new.relative_to(here).parts[0] for new in set(tmp_path.rglob("*")) - before} == {
        "_.._LOT_3-export",
        "_.._LOT_3.html",
    }
