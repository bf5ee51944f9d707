"""The batch report tells what was recorded, in one file that asks the network for nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.edge.historian import Historian
from controller.review.report import content
from controller.settings import load
from controller.support.user_error import UserError
from hmi import batch_report

TITLES = (
    "Phases", "Trends", "Estimates and assays", "Suggestions and what came of them", "NeuroCore", "Alarms", "Gaps",
    "Audit trail", "Versions and checksums",
)  # fmt: skip


@pytest.fixture(scope="module")
def gathered(recorded: SimpleNamespace) -> dict[str, Any]:
    with Historian.reader(recorded.path) as history:
        return content(history, load(recorded.config), recorded.batch)


class Page(HTMLParser):
    """Whether each element that is opened is closed again, and what the page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)
        self.fetched += [v for k, v in attrs if k in ("src", "href", "data") and v and not v.startswith(("#", "data:"))]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "br"):
            assert self.open.pop() == tag


def test_the_page_holds_every_chapter_is_whole_and_fetches_nothing(gathered: dict[str, Any]) -> None:
    html = batch_report.render(gathered)
    page = Page()
    page.feed(html)
    assert page.open == [] and page.fetched == []
    assert [title for title in TITLES if f"<h2>{title}" not in html] == []
    assert html.count("<svg") == 3
    assert gathered["batch"] in html


def test_it_tells_what_was_recorded(recorded: SimpleNamespace, gathered: dict[str, Any]) -> None:
    with Historian.reader(recorded.path) as history:
        decisions = history.decisions(recorded.plant, recorded.batch)
        assays = history.assays(recorded.plant, recorded.batch)
        _, head = history.chain_head()
    assert gathered["hours"] == pytest.approx(17.0, abs=0.2)
    assert [a["value"] for a in gathered["assays"]] == [a.value for a in assays]
    assert gathered["phases"][0]["name"] == decisions[0].situation.phase
    taken = [s for s in gathered["suggestions"] if s["taken"]]
    assert {s["id"] for s in taken} >= {d.command.id for d in decisions if d.command is not None}
    assert re.fullmatch(r"[+-].* \(.* to .*\)", taken[0]["predicted"]) and "foreseen" in taken[0]["actual"]
    assert gathered["checksums"]["last hash of the record"] == head
    assert gathered["integrity"].startswith("All ")
    assert any(entry["what"] == "mode" and entry["new"] == "auto" for entry in gathered["audit"])


def test_words_from_outside_are_never_markup(gathered: dict[str, Any]) -> None:
    entry = dict.fromkeys(("who", "what", "old", "new"), "<script>alert(1)</script>")
    html = batch_report.render({**gathered, "audit": [{"age_h": 1.0, "reason": "", **entry}]})
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_an_unknown_batch_is_refused_in_a_sentence(recorded: SimpleNamespace) -> None:
    with Historian.reader(recorded.path) as history, pytest.raises(UserError, match=r"no decision of batch 'B9'"):
        content(history, load(recorded.config), "B9")


def test_the_command_writes_html_and_pdf(recorded: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    command = [sys.executable, "-m", "controller.cli", "report", recorded.batch, "--config", str(recorded.config)]
    ran = subprocess.run([*command, "--out", str(out), "--pdf"], capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert out.with_suffix(".pdf").read_bytes().startswith(b"%PDF-")
    assert len(out.with_suffix(".pdf").read_bytes()) > 50_000
