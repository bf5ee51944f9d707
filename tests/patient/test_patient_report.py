"""The report that people take away: whole in one file, asking the network for nothing, and marked as research."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from controller.patient.advice.loop import DISCLAIMER
from controller.patient.audit import audit
from controller.patient.comedication import Comedication
from controller.patient.data.samples import Recording
from controller.patient.outputs import content_of
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.scenario import Scenario
from controller.patient.simulated import samples_of
from controller.patient.snapshots import START
from controller.patient.trail import head
from hmi.patient.figure import draw, write_table
from hmi.patient.report import render, write

Patient = Callable[[str, int], Scenario]
VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Page(HTMLParser):
    """Tags that are not closed, and every address that the page could fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wanted: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.wanted += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset", "data"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def seen(patient: Patient) -> Scenario:
    return patient("relapse", 0)


@pytest.fixture(scope="module")
def content(seen: Scenario) -> dict[str, Any]:
    worn = [replace(s, extras={"heart_rate": 60.0 + k % 5}) for k, s in enumerate(samples_of("relapse", 0))]
    notes = ("a <b>note</b> & more",)
    data = Recording(
        tuple(worn), (Level(100.0, 17.5),), "escitalopram", (), (Comedication("lamotrigine"),), START, notes
    )
    return content_of(seen, data, audit(seen))


@pytest.fixture(scope="module")
def page(content: dict[str, Any]) -> str:
    return render(content)


def test_what_was_not_checked_stands_above_everything_else(content: dict[str, Any]) -> None:
    told = {"unchecked": ["record.json has further pages"], "withheld": ["20 mg are ordered, and on record are 10 mg"]}
    shown = render({**content, "data": {**content["data"], **told}})
    alert = shown[shown.index('role="alert"') : shown.index("<h2>Treatment</h2>")]
    assert "record.json has further pages" in alert and "No advice on the dose: 20 mg are ordered" in alert
    assert 'role="alert"' not in render(content)


def test_the_page_is_whole_and_asks_the_network_for_nothing(page: str) -> None:
    parsed = _Page()
    parsed.feed(page)
    assert parsed.open == [] and not parsed.tags & {"script", "iframe", "object", "embed", "link"}
    assert parsed.wanted and all(address.startswith("data:") for address in parsed.wanted)
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in page


def test_the_disclaimer_stands_above_and_below(page: str) -> None:
    assert page.count(f">{DISCLAIMER}<") == 2
    assert page.index(DISCLAIMER) < page.index("<h1>") and page.rindex(DISCLAIMER) > page.index("Versions</h2>")


def test_every_suggestion_is_there_with_reason_evidence_and_expiry(page: str, seen: Scenario) -> None:
    text = unescape(page)
    assert len(seen.suggestions) > 3 and text.count("<article>") == len(seen.suggestions)
    for review in seen.suggestions:
        assert review.reason in text
    assert text.count("<dt>Expires</dt>") == len(seen.suggestions)


def test_what_suggestions_say_beside_their_reason_is_shown(content: dict[str, Any]) -> None:
    first = content["suggestions"][0]
    evidence = {"id": "CPIC 2023", "strength": "moderate", "citation": "Bousman 2023", "verify": True}
    further = {
        "evidence": [evidence],
        "confidence": 0.62,
        "alternatives": ["ask for a level"],
        "blocked": ["H2: too early"],
    }
    effect = {"quantity": "mood", "unit": "points", "baseline": 5.0, "proposed": 5.5, "gain": 0.5}
    effect |= {"gain_low": -0.1, "gain_high": 0.9}
    text = unescape(render({**content, "suggestions": [{**first, **further, "effect": effect}]}))
    assert "CPIC 2023 (moderate; to be verified by a person): Bousman 2023" in text
    assert "62 % that the benefit is more than the least that counts" in text
    assert "ask for a level" in text and "H2: too early" in text
    assert "gain +0.50 points (80 %: −0.10 to +0.90)" in text


def test_data_quality_wearables_and_versions_are_told(page: str, content: dict[str, Any], seen: Scenario) -> None:
    assert "40 of 40" in page and "lamotrigine" in page and "Heart rate" in page
    assert "a &lt;b&gt;note&lt;/b&gt; &amp; more" in page  # what a file says is text
    assert head(audit(seen)) in page and content["versions"]["parameters_sha256"] in page


def test_the_figure_is_in_the_page(page: str) -> None:
    found = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    assert found is not None
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as image:
        assert image.format == "PNG" and min(image.size) > 1000


def test_a_patient_without_any_review_has_a_report_too(tmp_path: Path, patient: Patient) -> None:
    write(content_of(patient("healthy", 0)), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no sample called for a review" in text and DISCLAIMER in text
    assert "Table 1 of Nozari 2025" in text


def test_the_plain_json_of_the_command_is_enough(patient: Patient) -> None:
    assert "Suggestions for review" in render(patient("healthy", 0).as_json())


def test_the_table_has_a_column_for_each_wearable_with_its_unit(tmp_path: Path, content: dict[str, Any]) -> None:
    write_table(content, tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv", comment="#")
    assert table["heart_rate [1/min]"].tolist()[:6] == [60.0, 61.0, 62.0, 63.0, 64.0, 60.0]


def test_the_figure_shows_the_components_and_measured_levels(tmp_path: Path, content: dict[str, Any]) -> None:
    pictures = []
    calm = [{**i, "components": dict.fromkeys("DVNA", 0.0)} for i in content["intervals"]]
    for name, changed in {"as it is": {}, "calm": {"intervals": calm}, "no level": {"levels": []}}.items():
        draw({**content, **changed}, tmp_path / f"{name}.png")
        pictures.append((tmp_path / f"{name}.png").read_bytes())
    assert len(set(pictures)) == 3
