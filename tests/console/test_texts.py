"""What people and servers write is shown as one line of visible text, in the log, in the terminal and in the trail."""

from __future__ import annotations

import logging
from io import StringIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from controller.support.printing import shown, told
from controller.support.visible import in_log, in_record, only_visible, visible, visible_lines

ESCAPE = "\x1b[31m"
FORGED = "harmless\n19:00:00 written: feed = 9 L/h by engineer-one"
HOSTILE = (FORGED, ESCAPE, "\x9b31m", "a\u202eb", "a\u2066b", "a\u2028b", "a\x85b", "a\rb", "a\tb", "\x00", "a\u200bb")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_note_with_what_cannot_be_seen_is_refused_in_words(bench, client, text):
    asked = {"by": "B. Ito", "text": f"x{text}x"}
    answer = client.post("/notes", json=asked)
    assert answer.status_code == 422 and "cannot be seen; leave it out" in answer.text
    assert bench.intents == []


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/intents", {"kind": "reject", "suggestion": "S-0017", "reason": FORGED}),
        ("/intents", {"kind": "accept", "suggestion": "S-0017", "reason": FORGED}),
        ("/intents", {"kind": "accept", "suggestion": f"S{ESCAPE}17"}),
        ("/intents", {"kind": "propose", "moves": {f"feed{ESCAPE}x": 1.0}, "reason": "oxygen"}),
        ("/batch/hold", {"reason": FORGED}),
        ("/samples", {"drawn_at": "2026-01-05T00:00:00Z", "remark": FORGED}),
        ("/alarms/oxygen_low/ack", {"reason": FORGED}),
        ("/alarms/oxygen%1B[31mlow/ack", {}),
        ("/notes", {"text": "good", "by": f"B.{ESCAPE} Ito"}),
    ],
)
def test_so_is_every_other_text(bench, client, path, asked):
    assert client.post(path, json={"by": "B. Ito"} | asked).status_code == 422
    assert bench.intents == []


def test_what_scripts_of_people_need_is_taken(bench, client):
    text = "Schaum über 4 cm, می\u200cخواهم, 泡沫"
    client.post("/notes", json={"by": "Zoë Ångström", "text": text})
    assert [intent.reason for intent in bench.intents] == [text]


@given(st.text())
def test_what_is_shown_is_one_visible_line_and_what_was_visible_stays(text):
    assert only_visible(visible(text)) == visible(text)
    assert len(visible(text).splitlines()) <= 1
    if visible(text) == text:
        assert only_visible(text) == text


def test_neither_log_can_be_forged():
    out = StringIO()
    renderer = structlog.dev.ConsoleRenderer(colors=False)
    log = structlog.wrap_logger(structlog.PrintLogger(out), processors=[in_log, renderer])
    log.info(FORGED, batch=f"B1{ESCAPE}\nB2")
    handler = logging.StreamHandler(out)
    handler.addFilter(in_record)
    handler.handle(logging.LogRecord("asyncua", logging.ERROR, "", 0, "the server said %s", (FORGED + ESCAPE,), None))
    assert len(out.getvalue().splitlines()) == 2 and "\x1b" not in out.getvalue()


def test_neither_can_a_terminal(capsys):
    shown([{"who": "omar", "reason": FORGED + ESCAPE}], as_json=False)
    print(told({"batch": f"B1{ESCAPE}\nB2"}))
    print(visible_lines(f"a fault{ESCAPE}\nin two lines"))
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 5 and "\x1b" not in out
