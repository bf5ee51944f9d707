"""InfluxDB writes: one bucket, one synchronous write at a time, and what became of it in words for people.

InfluxDB 2, 3 and 1.8, and what is compatible with them, take `/api/v2/write` through the client library. Older ones
of version 1 take the same rows at `/write`; there the bucket is a database, or database/retention-policy, and the
token is user:password. Which one it is, is asked at /ping. The token goes in a header, never in an address or a log.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

ANSWER_CHARACTERS = 300  # of the server's own words
GZIP_LEVEL = 1  # rows of numbers shrink to a quarter even so, at a tenth of the time of the usual level

BAD_ROWS = frozenset({400, 413, 422})
NOT_ALLOWED = {
    401: "check the token",
    403: "check what the token may write to",
    404: "check the URL, the organisation and the bucket; `neurotwin influx setup` makes the bucket",
}


class WriteVerdict(StrEnum):
    """What became of one write."""

    STORED = "stored"
    BAD_ROWS = "bad rows"
    NOT_ALLOWED = "not allowed"
    AWAY = "away"
    AGAIN = "again"  # stored, but rows before these must be sent again first


class WriteReply(NamedTuple):
    """The server's answer to one write, in words for people."""

    verdict: WriteVerdict
    text: str = ""


class ServerKind(StrEnum):
    """What the server speaks."""

    V1 = "InfluxDB 1 before 1.8"
    V1_V2 = "InfluxDB 1.8"  # of version 1, with the write address of version 2
    V2 = "InfluxDB 2 or later"
    VICTORIA = "VictoriaMetrics"


class Server(NamedTuple):
    """Who answers there."""

    kind: ServerKind
    version: str


class Wire:
    """HTTP to one InfluxDB, with the token in its header and out of every text."""

    def __init__(self, url: str, org: str, token: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self.client = InfluxDBClient(
            url=self.url, org=org, token=token, timeout=int(1000 * timeout_s), enable_gzip=True
        )
        parts = urlsplit(url)
        self.address = f"{parts.scheme}://{parts.hostname}:{parts.port or {'https': 443}.get(parts.scheme, 80)}"
        self.connections = 0  # ever opened or tried: grows when the server has let go of the last one
        self._token, self._timeout_s = token, timeout_s
        self._pool = self.client.api_client.rest_client.pool_manager
        of_server = self._pool.connection_from_url(self.url)
        of_server.ConnectionCls = self._counting(of_server.ConnectionCls)

    def _counting(self, kind: type[HTTPConnection]) -> type[HTTPConnection]:
        """The same class of connection, but counted: urllib3 renews a dropped one without a word."""

        def connect(connection: HTTPConnection) -> None:
            self.connections += 1
            kind.connect(connection)

        return type(kind.__name__, (kind,), {"connect": connect})

    def request(
        self, method: str, place: str, query: dict[str, str], body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, bytes]:
        """Status, headers and body of one request; HTTPError and OSError when nobody answers."""
        sent = {"Authorization": f"Token {self._token}"} if self._token else {}
        if ":" in self._token:  # user:password of version 1
            sent = {"Authorization": f"Basic {b64encode(self._token.encode()).decode()}"}
        address = f"{self.url}{place}?{urlencode(query)}" if query else f"{self.url}{place}"
        reply = self._pool.request(
            method, address, body=body, headers=sent | headers, timeout=self._timeout_s, retries=False
        )
        return int(reply.status), reply.headers, bytes(reply.data)

    def server(self) -> Server:
        """Who answers; HTTPError and OSError when nobody does."""
        status, headers, _ = self.request("GET", "/ping", {})
        version = str(headers.get("X-Influxdb-Version", "")).removeprefix("v")
        health_status, _, health = self.request("GET", "/health", {})
        if health_status == 200 and health.strip() == b"OK":
            return Server(ServerKind.VICTORIA, version)
        if not version.startswith("1."):
            return Server(ServerKind.V2, version)
        minor = version.split(".")[1]
        both = status in (200, 204) and minor.isdigit() and int(minor) >= 8
        return Server(ServerKind.V1_V2 if both else ServerKind.V1, version)

    def safe(self, text: object) -> str:
        """What may be shown: on one line, not endless, without the token."""
        words = text.decode(errors="replace") if isinstance(text, bytes) else str(text or "")
        flat = " ".join(words.split())
        return (flat.replace(self._token, "***") if self._token else flat)[:ANSWER_CHARACTERS]

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


class Sender:
    """One bucket; every expected outcome of a write is a WriteReply."""

    def __init__(self, url: str, org: str, bucket: str, token: str, timeout_s: float) -> None:
        self._wire = Wire(url, org, token, timeout_s)
        self._api = self._wire.client.write_api(write_options=SYNCHRONOUS)
        self._bucket = bucket
        self._server: Server | None = None

    @property
    def connections(self) -> int:
        """Ever opened or tried."""
        return self._wire.connections

    def send(self, lines: list[str]) -> WriteReply:
        """Write these rows and wait for the answer."""
        try:
            if self._server is None:
                self._server = self._wire.server()
            rows = "\n".join(lines)
            if self._server.kind is ServerKind.V1:
                return self._send_as_version_1(rows)
            self._api.write(self._bucket, record=rows, write_precision=WritePrecision.NS)
        except ApiException as error:
            return self._judged(int(error.status or 0), f"{error.reason or ''} {self._wire.safe(error.body)}".strip())
        except (HTTPError, OSError) as error:
            self._server = None  # it may come back as another
            return WriteReply(WriteVerdict.AWAY, f"{self._wire.address} does not answer: {self._wire.safe(error)}")
        return WriteReply(WriteVerdict.STORED)

    def _send_as_version_1(self, rows: str) -> WriteReply:
        database, _, policy = self._bucket.partition("/")
        query = {"db": database, "precision": "ns"} | ({"rp": policy} if policy else {})
        body = gzip.compress(rows.encode(), GZIP_LEVEL)
        status, _, answer = self._wire.request("POST", "/write", query, body, **{"Content-Encoding": "gzip"})
        return WriteReply(WriteVerdict.STORED) if status in (200, 204) else self._judged(status, _message(answer))

    def _judged(self, status: int, words: str) -> WriteReply:
        told = f"{self._wire.address} answered {status} ({self._wire.safe(words)})"
        if status in BAD_ROWS:
            return WriteReply(WriteVerdict.BAD_ROWS, told)
        if status in (0, 408, 429) or status >= 500:
            return WriteReply(WriteVerdict.AWAY, told)
        return WriteReply(
            WriteVerdict.NOT_ALLOWED, f"{told}: {NOT_ALLOWED.get(status, 'check the URL')}; the rows are kept"
        )

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()


def _message(body: bytes) -> str:
    """InfluxDB's own words of an answer."""
    try:
        found = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    return str(found.get("error", found)) if isinstance(found, dict) else str(found)
