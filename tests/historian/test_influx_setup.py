"""`neurotwin influx` makes what a server needs, says how far the outbox is, and tells nobody the token."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import tomli_w
from typer.testing import CliRunner

from controller.commands.influx import influx as command_line
from controller.edge.historian import Historian
from controller.edge.influx import Forwarder, ForwarderState
from controller.edge.influx.sender import Sender, ServerKind, Wire, WriteVerdict
from controller.edge.influx.setup import Setup
from controller.loop.records import Decision
from controller.processes import find
from controller.support.user_error import UserError

if TYPE_CHECKING:
    from conftest import Influx, Victoria  # type: ignore[import-not-found]

Make = Callable[..., Decision]
Until = Callable[[Callable[[], object]], None]
TOKEN = "s3cret-token"


class Version2(ThreadingHTTPServer):
    """The parts of InfluxDB 2's documented interface that a setup needs, and as strict; no such server is packaged."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: list[dict[str, Any]] = []
        self.mappings: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Version2
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, content: object = None) -> None:
        body = json.dumps(content).encode() if content is not None else b""
        self.send_response(status)
        self.send_header("X-Influxdb-Version", "v2.7.11")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self) -> None:
        place, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.server.asked.append((self.command, place))
        if place in ("/ping", "/health"):
            return self._answer(204 if place == "/ping" else 200, None if place == "/ping" else {"name": "influxdb"})
        if self.headers["Authorization"] != f"Token {TOKEN}":
            return self._answer(401, {"code": "unauthorized", "message": "unauthorized access"})
        there, maps = self.server.buckets, self.server.mappings
        match self.command, place.split("/")[3:]:
            case "GET", ["orgs"]:
                self._answer(200, {"orgs": [{"id": "o1", "name": query["org"][0]}]})
            case "GET", ["buckets"]:
                found = [b for b in there if b["name"] == query["name"][0]]
                self._answer(200 if found else 404, {"buckets": found} if found else {"message": "not found"})
            case "POST", ["buckets"]:
                assert set(body) == {"orgID", "name", "retentionRules"}
                there.append({**body, "id": f"b{len(there)}"})
                self._answer(201, there[-1])
            case "PATCH", ["buckets", key]:
                [bucket] = [b for b in there if b["id"] == key]
                bucket.update(body)
                self._answer(200, bucket)
            case "GET", ["dbrps"]:
                self._answer(200, {"content": [m for m in maps if m["bucketID"] == query["bucketID"][0]]})
            case "POST", ["dbrps"]:
                assert set(body) == {"orgID", "bucketID", "database", "retention_policy", "default"}
                maps.append(body)
                self._answer(201, body)
            case _:
                self._answer(400, {"message": "no such place"})

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def version_2() -> Iterator[Version2]:
    server = Version2()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def done(setup: Setup) -> list[str]:
    return [piece.done for piece in setup.run()[1]]


def test_version_2_gets_bucket_retention_and_mapping_once(version_2: Version2) -> None:
    def made(days: float, dry: bool = False) -> list[str]:
        return done(Setup(version_2.url, "lab", "bio", TOKEN, days, dry))

    assert made(30, dry=True) == ["would be made", "was there", "would be made"]
    assert version_2.buckets == version_2.mappings == []
    assert made(30) == ["made", "was there", "made"]
    assert version_2.buckets[0]["retentionRules"] == [{"type": "expire", "everySeconds": 30 * 86_400}]
    assert version_2.mappings[0] | {"x": 0} == {
        "orgID": "o1", "bucketID": "b0", "database": "bio", "retention_policy": "autogen", "default": True, "x": 0
    }  # fmt: skip
    assert made(30) == ["was there"] * 3
    assert made(0) == ["was there", "made", "was there"]
    assert version_2.buckets[0]["retentionRules"] == []


def test_a_token_that_may_not_is_told_without_the_token(version_2: Version2) -> None:
    with pytest.raises(UserError, match="give a token that may make buckets") as caught:
        Setup(version_2.url, "lab", "bio", "another-secret", 0).run()
    assert "another-secret" not in str(caught.value)
    with pytest.raises(UserError, match="org is missing"):
        Setup(version_2.url, "", "bio", TOKEN, 0).run()


def test_version_1_gets_a_database_with_its_retention(influx: Influx) -> None:
    def made(bucket: str, days: float, dry: bool = False) -> list[str]:
        return done(Setup(influx.url, "", bucket, "", days, dry))

    assert made("plant", 30, dry=True) == ["would be made"] * 2
    assert made("plant", 30) == ["made"] * 2
    assert made("plant", 30) == ["was there"] * 2
    assert made("plant", 0) == ["was there", "made"]
    assert made("plant/weeks", 14) == ["was there", "made"]
    assert made("plant/weeks", 14) == ["was there"] * 2


def test_victoriametrics_needs_nothing_and_nobody_is_told(victoria: Victoria) -> None:
    server, pieces = Setup(victoria.url, "", "bio", "", 30).run()
    assert server.kind is ServerKind.VICTORIA
    assert "retentionPeriod" in pieces[0].done
    with pytest.raises(UserError, match=r"127.0.0.1:9 does not answer"):
        Setup("http://127.0.0.1:9", "", "bio", "", 30).run()


def test_rows_reach_a_version_1_that_has_no_version_2_interface(
    queueing: Historian, influx: Influx, decision: Make, until: Until
) -> None:
    Setup(influx.url, "", "plant", "", 0).run()
    for minute in range(40):
        queueing.record(decision(minute))
    with Forwarder(queueing.path, influx.url, "", "plant", "") as sending:
        until(lambda: queueing.outbox_pending() == 0)
        assert sending.status().state is ForwarderState.FORWARDING
    for measurement in ("process", "quality", "setpoint", "estimate", "neurocore", "suggestion"):
        assert len(influx.select(f"SELECT * FROM plant.autogen.{measurement}")) == 40
    influx.end()
    influx.start()
    assert len(influx.select("SELECT * FROM plant.autogen.process")) == 40


def test_version_1_says_which_rows_are_bad_and_that_a_database_is_missing(influx: Influx) -> None:
    sender = Sender(influx.url, "", "bio", "", 5.0)
    assert sender.send(["process x=1 10"]).verdict is WriteVerdict.STORED
    refused = sender.send(['process x="text" 20'])
    assert refused.verdict is WriteVerdict.BAD_ROWS
    assert "field type conflict" in refused.text
    sender.close()
    elsewhere = Sender(influx.url, "", "nowhere", "", 5.0)
    missing = elsewhere.send(["process x=1 10"])
    assert missing.verdict is WriteVerdict.NOT_ALLOWED
    assert "neurotwin influx setup" in missing.text
    elsewhere.close()


def test_user_and_password_of_version_1_go_in_a_header_only(influx: Influx, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(influx.url, "", "anna:s3cret", 5.0)
    seen: list[tuple[str, dict[str, str]]] = []
    send = wire._pool.request

    def request(method: str, address: str, **options: Any) -> Any:
        seen.append((address, options["headers"]))
        return send(method, address, **options)

    monkeypatch.setattr(wire._pool, "request", request)
    wire.server()
    wire.close()
    assert all("s3cret" not in address for address, _ in seen)
    assert {headers["Authorization"] for _, headers in seen} == {f"Basic {base64.b64encode(b'anna:s3cret').decode()}"}


@pytest.fixture
def config(tmp_path: Path, queueing: Historian) -> Callable[[str, str], Path]:
    """The shipped configuration with this historian and this server."""

    def written(url: str, secret: str) -> Path:
        text = tomli_w.dumps(find("penicillin").content())
        ours = f'\n[influx]\nurl = "{url}"\nbucket = "bio"\n{secret}\n\n[historian]\npath = "{queueing.path}"\n'
        file = tmp_path / "plant.toml"
        file.write_text(text + ours)
        return file

    return written


def test_status_shows_server_position_lag_and_what_was_refused(
    config: Callable[[str, str], Path],
    queueing: Historian,
    victoria: Victoria,
    decision: Make,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def status(file: Path) -> dict[str, Any]:
        ended = CliRunner().invoke(command_line, ["status", str(file), "--json"])
        assert ended.exit_code == 0, ended.output
        assert TOKEN not in ended.output
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    monkeypatch.setenv("OUR_TOKEN", TOKEN)
    file = config(victoria.url, 'token_env = "OUR_TOKEN"')
    queueing.record(decision(0))
    waiting = status(file)
    assert waiting["server"].startswith("VictoriaMetrics")
    assert (waiting["position"], waiting["newest"], waiting["pending"]) == (0, 8, 8)
    assert waiting["lag_s"] >= 0
    with Forwarder(queueing.path, victoria.url, "", "bio", TOKEN):
        until(lambda: queueing.outbox_pending() == 0)
    gone = status(file)
    assert (gone["position"], gone["pending"], gone["lag_s"], gone["dropped"]) == (8, 0, None, [])
    away = status(config("http://127.0.0.1:9", ""))
    assert away["server"] == ""
    assert "does not answer" in away["trouble"]
    monkeypatch.delenv("OUR_TOKEN")
    ended = CliRunner().invoke(command_line, ["status", str(config(victoria.url, 'token_env = "OUR_TOKEN"'))])
    assert isinstance(ended.exception, UserError)
    assert "the environment has no OUR_TOKEN" in str(ended.exception)
