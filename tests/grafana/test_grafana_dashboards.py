"""Dashboards follow the plant's variables, fit together with what starts them, and every query finds rows."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from controller.commands.grafana import content_of
from controller.processes import find
from controller.settings import load
from hmi.grafana import provisioning
from hmi.grafana.dashboards import dashboards

NAMES = ("overview", "unit", "twin", "neurocore", "pharmacoloop", "alarms", "historian", "patient")

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{internal}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[logging]
  level = "error"
"""


def made(plant: str = "penicillin") -> dict[str, dict[str, Any]]:
    return dashboards(content_of(load(find(plant).configuration)))


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_panels_do_not_overlap_and_stay_within_the_screen() -> None:
    for name, dashboard in made().items():
        taken: set[tuple[int, int]] = set()
        for panel in panels(dashboard):
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken and at["x"] + at["w"] <= 24, f"{name}: {panel['title']}"
            taken |= cells


def test_a_new_tag_appears_by_itself() -> None:
    settings = load(find("penicillin").configuration)
    new = replace(settings.variable[0], name="turbidity", text="Turbidity", unit="cP", node="AIC109.PV")
    titles = {
        name: [panel["title"] for panel in panels(dashboard)]
        for name, dashboard in dashboards(content_of(replace(settings, variable=(*settings.variable, new)))).items()
    }
    assert "Turbidity" in titles["unit"] and "Turbidity" in titles["overview"]
    assert "Turbidity" not in [panel["title"] for panel in panels(made()["unit"])]


# -- what starts them --------------------------------------------------------------------------------------------------


def test_provisioning_and_compose_fit_together_and_secrets_are_the_owners(tmp_path: Path) -> None:
    provisioning.write(content_of(load(find("penicillin").configuration)), tmp_path, "acme", "ferment")
    source = yaml.safe_load((tmp_path / "provisioning/datasources/neurotwin.yaml").read_text())["datasources"][0]
    compose = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    provider = yaml.safe_load((tmp_path / "provisioning/dashboards/neurotwin.yaml").read_text())["providers"][0]
    mounted = compose["services"]["grafana"]["volumes"]
    assert f"./dashboards:{provider['options']['path']}:ro" in mounted
    assert source["url"] == "http://influxdb:8086" and "influxdb" in compose["services"]
    assert source["jsonData"]["dbName"] == "ferment" == dict_of(compose, "influxdb")["DOCKER_INFLUXDB_INIT_BUCKET"]
    uids = {p["datasource"]["uid"] for d in made().values() for p in panels(d)}
    assert uids == {source["uid"]}
    for name in ("token", ".env"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    token = (tmp_path / "token").read_text().strip()
    assert f"NEUROTWIN_TOKEN={token}\n" in (tmp_path / ".env").read_text()
    assert not any(token in p.read_text() for p in tmp_path.rglob("*") if p.suffix in (".yaml", ".json"))
    provisioning.write(content_of(load(find("penicillin").configuration)), tmp_path)
    assert (tmp_path / "token").read_text().strip() == token


def dict_of(compose: dict[str, Any], service: str) -> dict[str, str]:
    return compose["services"][service]["environment"]  # type: ignore[no-any-return]


# -- every query, at a real server, with the data of a batch -----------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def asked(url: str, body: bytes | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = shutil.which("influxd")
    if binary is None and os.environ.get("NEUROTWIN_REQUIRE_SERVERS") == "1":
        pytest.fail("influxd is required here and was not found: apt-get install influxdb")
    if binary is None:
        pytest.skip("influxd was not found (apt-get install influxdb)")
    folder, port = tmp_path_factory.mktemp("influx"), free_port()
    (folder / "influxd.conf").write_text(CONFIG.format(folder=folder, port=port, internal=free_port()))
    url, quiet = f"http://127.0.0.1:{port}", subprocess.DEVNULL
    command = [binary, "-config", str(folder / "influxd.conf")]
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        deadline = time.monotonic() + 60
        while asked(f"{url}/ping")[0] != 204:
            assert time.monotonic() < deadline, "influxd did not start within 60 s"
            time.sleep(0.1)
        asked(f"{url}/query?{urllib.parse.urlencode({'q': 'CREATE DATABASE bio'})}", b"")
        yield url
        process.terminate()


@pytest.fixture(scope="module")
def filled(server: str, recorded: SimpleNamespace) -> str:
    """The server with everything that the recorded batch put into its outbox."""
    with closing(sqlite3.connect(recorded.path)) as base:
        rows = [row for (row,) in base.execute("SELECT line FROM outbox ORDER BY id")]
    for start in range(0, len(rows), 2000):
        status, answer = asked(f"{server}/write?db=bio&precision=ns", "\n".join(rows[start : start + 2000]).encode())
        assert (status, answer) == (204, "")
    return server


def values(server: str, query: str, plant: str) -> list[Any]:
    """What a query brings, with Grafana's variables and macros filled in as it does."""
    for name, text in (
        ("$plant", plant),
        ("$batch", ".*"),
        ("$timeFilter", "time >= 0 AND time < 4102444800s"),
        ("$__interval", "30m"),
    ):
        query = query.replace(name, text)
    if "GROUP BY time" in query:  # from 1970 on there are too many intervals
        query = query.replace("time >= 0 AND time < 4102444800s", "time >= 1767225600s AND time < 1769904000s")
    asked_for = urllib.parse.urlencode({"db": "bio", "epoch": "ms", "q": query})
    status, answer = asked(f"{server}/query?{asked_for}")
    result = json.loads(answer)["results"][0]
    assert status == 200 and "error" not in result, f"{query}: {answer}"
    found = [row for series in result.get("series", []) for row in series["values"]]
    return [row for row in found if any(value is not None for value in row[1:])]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "patient"])  # whose rows a batch does not have
def test_every_query_of_every_panel_variable_and_annotation_finds_rows(
    filled: str, recorded: SimpleNamespace, name: str
) -> None:
    dashboard = dashboards(content_of(load(recorded.config)))[name]
    queries = [(p["title"], t["query"]) for p in panels(dashboard) for t in p["targets"]]
    queries += [(v["name"], v["query"]) for v in dashboard["templating"]["list"]]
    queries += [(a["name"], a["query"]) for a in dashboard["annotations"]["list"]]
    empty = [(title, query) for title, query in queries if not values(filled, query, recorded.plant)]
    assert len(queries) > 5
    assert empty == []
