"""Malformed requests: each is answered 422 in words, nothing of it reaches the loop, and no traceback the log."""

from __future__ import annotations

import pytest

MOVES = '{{"kind": "propose", "by": "B. Ito", "reason": "oxygen", "moves": {{"feed": {}}}}}'
RESULT = '{{"by": "B. Ito", "drawn_at": "2026-01-05T00:00:00Z", "results": [{}]}}'
NUMBERS = ('"0.041"', "true", "null", "NaN", "Infinity", "-Infinity", "1e999", "[0.041]", '"\\ud800"')
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def refused(bench, client, capfd):
    def send(path, body):
        answer = client.post(path, content=body.encode(), headers=JSON)
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"]
        assert bench.intents == []
        assert "Traceback" not in capfd.readouterr().err
        return answer.text

    return send


@pytest.mark.parametrize("number", NUMBERS)
def test_a_setpoint_that_is_no_number_is_refused(refused, number):
    refused("/intents", MOVES.format(number))
    refused("/what-if", f'{{"steps": [{{"inputs": {{"feed": {number}}}}}]}}')


@pytest.mark.parametrize("number", NUMBERS)
def test_so_is_a_result_a_volume_and_a_time_to_shelve(refused, number):
    refused("/samples", RESULT.format(f'{{"variable": "biomass", "unit": "g/L", "value": {number}}}'))
    refused("/samples", f'{{"by": "B. Ito", "drawn_at": "2026-01-05T00:00:00Z", "volume_ml": {number}}}')
    if number != "null":
        refused("/alarms/oxygen_low/shelve", f'{{"by": "B. Ito", "reason": "known", "hours": {number}}}')


@pytest.mark.parametrize(
    "body",
    [
        "[" * 8000,
        '{"a":' * 3000,
        "[" * 400 + "]" * 400,
        "{",
        "",
        "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
@pytest.mark.parametrize("path", ["/intents", "/notes", "/what-if", "/batch/hold"])
def test_what_is_no_plain_json_or_has_no_end_is_refused(refused, path, body):
    refused(path, body)


@pytest.mark.parametrize("text", ['"\\ud800"', '"a\\udfffb"', '{"\\ud800": 1}', "[[1]]", "3"])
def test_a_text_that_is_none_is_refused_and_never_repeated(refused, text):
    assert "ud800" not in refused("/notes", f'{{"by": "B. Ito", "text": {text}}}')
    refused("/notes", f'{{"by": {text}, "text": "a note"}}')


def test_a_name_that_is_no_text_is_refused_where_it_is_the_key(refused):
    refused("/intents", MOVES.replace('"feed"', '"\\ud800"').format("1.0"))
    refused("/notes", '{"by": "B. Ito", "text": "a note", "\\ud800": 1}')


def test_a_whole_number_is_a_number(bench, client):
    client.post("/intents", content=MOVES.format("1").encode(), headers=JSON)
    assert [dict(intent.moves) for intent in bench.intents] == [{"feed": 1.0}]
