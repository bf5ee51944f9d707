"""A wrong endpoint, tag, unit or file: one clear sentence, exit code 2, and nothing written to the plant."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

WRITABLE = ("FIC201.SP", "FIC202.SP", "SUPERVISOR.HEARTBEAT")


def refused(tools: Any, *arguments: str) -> str:
    done = subprocess.run([*tools.neurotwin, *arguments], capture_output=True, text=True, timeout=90)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("neurotwin: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_an_unreadable_configuration_names_the_file_and_the_line(house: Any, tools: Any) -> None:
    house.config.write_text("[plant\nname = 3")
    sentence = refused(tools, "run", str(house.config))
    assert "penicillin.toml" in sentence and "line 1" in sentence


def test_a_missing_configuration_names_the_file(house: Any, tools: Any) -> None:
    assert "nowhere.toml" in refused(tools, "run", str(house.folder / "nowhere.toml"))


def test_a_wrong_endpoint_names_it(house: Any, tools: Any) -> None:
    sentence = refused(tools, "run", str(house.config), "--wait", "2")
    assert house.endpoint in sentence


@pytest.mark.parametrize(
    ("key", "wrong", "named"),
    [("node", "AIC102.NONE", "AIC102.NONE"), ("unit", "mg/L", "mg/L")],
)
def test_a_missing_tag_or_a_wrong_unit_is_named_and_nothing_is_written(
    house: Any, tools: Any, key: str, wrong: str, named: str
) -> None:
    house.plant(speed="max")
    house.content["variable"][0][key] = wrong
    house.save()
    before = tools.read_tags(house.endpoint, *WRITABLE)
    assert named in refused(tools, "run", str(house.config), "--wait", "20")
    assert tools.read_tags(house.endpoint, *WRITABLE) == before
    checked = subprocess.run(
        [*tools.neurotwin, "check", str(house.config), "--connect"], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 2
    assert named in checked.stdout
    assert tools.read_tags(house.endpoint, *WRITABLE) == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("demo", "--speed", "fast"), "--speed fast"),
        (("demo", "--plant", "yeast"), "yeast"),
        (("demo", "--headless", "--hours", "-3"), "--hours"),
    ],
)
def test_an_impossible_option_is_named(tools: Any, arguments: tuple[str, ...], word: str) -> None:
    assert word in refused(tools, *arguments)
