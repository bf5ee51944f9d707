"""InfluxDB set-up before it is fed: the bucket, its retention, and the mapping that InfluxQL needs.

Each piece is looked at first, so that a second setup changes nothing, and read back afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from urllib3.exceptions import HTTPError

from controller.edge.influx.sender import Server, ServerKind, Wire
from controller.support.user_error import UserError

TIMEOUT_S = 10.0
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that must be there, and whether it was, is made, or would be."""

    what: str
    done: str


class Setup:
    """Setting up one bucket of one server; `dry` only says what it would do."""

    def __init__(self, url: str, org: str, bucket: str, token: str, retention_days: float, dry: bool = False) -> None:
        self._wire = Wire(url, org, token, TIMEOUT_S)
        self._org, self._bucket, self._dry = org, bucket, dry
        self._retention_s = round(retention_days * DAY_S)

    def run(self) -> tuple[Server, list[Piece]]:
        """Who answers, and what was done there; a UserError when it cannot be."""
        try:
            server = self._wire.server()
            if server.kind is ServerKind.VICTORIA:
                return server, [Piece("retention", "VictoriaMetrics takes it from its own -retentionPeriod")]
            return server, list(self._version_2() if server.kind is ServerKind.V2 else self._version_1())
        except (HTTPError, OSError) as error:
            raise UserError(
                f"{self._wire.address} does not answer ({self._wire.safe(error)}); start it or mend url"
            ) from None
        finally:
            self._wire.close()

    # -- version 1: a database and its retention policy, by InfluxQL ---------------------------------------------

    def _version_1(self) -> Iterator[Piece]:
        database, _, policy = self._bucket.partition("/")
        known = self._policies(database)
        duration = f"{self._retention_s}s" if self._retention_s else "INF"
        yield self._piece(
            f"database {database}",
            known is not None,
            lambda: self._influxql(f"CREATE DATABASE {_quoted(database)}"),
        )
        name = policy or next((row["name"] for row in known or () if row["default"]), "autogen")
        found = next((row for row in known or () if row["name"] == name), None)
        verb = "ALTER" if found or name == "autogen" else "CREATE"
        clauses = f"ON {_quoted(database)} DURATION {duration} REPLICATION 1 DEFAULT"
        yield self._piece(
            f"retention {duration} of {database}/{name}",
            found is not None and _seconds(found["duration"]) == self._retention_s,
            lambda: self._influxql(f"{verb} RETENTION POLICY {_quoted(name)} {clauses}"),
        )
        if not self._dry:
            now = {row["name"]: _seconds(row["duration"]) for row in self._policies(database) or ()}
            if now.get(name) != self._retention_s:
                raise UserError(
                    f"{self._wire.address} keeps another retention of {database}/{name} than it was asked for"
                )

    def _policies(self, database: str) -> list[dict[str, Any]] | None:
        """The retention policies of a database; None when there is none of that name."""
        rows = self._influxql("SHOW DATABASES")
        if database not in [row["name"] for row in rows]:
            return None
        return self._influxql(f"SHOW RETENTION POLICIES ON {_quoted(database)}")

    def _influxql(self, query: str) -> list[dict[str, Any]]:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        found = self._json("POST", "/query", {}, urlencode({"q": query}).encode(), form)
        [result] = found["results"]
        if "error" in result:
            raise UserError(f"{self._wire.address} refuses {query!r} ({self._wire.safe(result['error'])})")
        series = result.get("series", [{"columns": [], "values": []}])[0]
        return [dict(zip(series["columns"], row, strict=True)) for row in series.get("values", [])]

    # -- version 2: a bucket, and its mapping for InfluxQL -------------------------------------------------------

    def _version_2(self) -> Iterator[Piece]:
        if not self._org:
            raise UserError("[influx] org is missing; InfluxDB 2 keeps buckets by organisation")
        bucket = self._find_bucket()
        rules = [{"type": "expire", "everySeconds": self._retention_s}] if self._retention_s else []
        made = bucket or {}

        def make() -> None:
            org = self._get("/api/v2/orgs", {"org": self._org})["orgs"][0]["id"]
            made.update(
                self._send("POST", "/api/v2/buckets", {"orgID": org, "name": self._bucket, "retentionRules": rules})
            )

        yield self._piece(f"bucket {self._bucket}", bucket is not None, make)
        kept = sum(int(rule.get("everySeconds", 0)) for rule in (bucket or {}).get("retentionRules", []))
        yield self._piece(
            f"retention {self._retention_s} s (0: for ever) of {self._bucket}",
            bucket is None or kept == self._retention_s,
            lambda: self._send("PATCH", f"/api/v2/buckets/{made['id']}", {"retentionRules": rules}),
        )
        yield self._mapping(made)

    def _find_bucket(self) -> dict[str, Any] | None:
        found = self._get("/api/v2/buckets", {"org": self._org, "name": self._bucket}, missing=(404,)).get(
            "buckets", []
        )
        return next((bucket for bucket in found if bucket["name"] == self._bucket), None)

    def _mapping(self, bucket: dict[str, Any]) -> Piece:
        """The DBRP mapping: InfluxQL asks for a database, which version 2 does not have."""
        what = f"mapping of the InfluxQL database {self._bucket} to the bucket"
        if not bucket:
            return Piece(what, "would be made")
        asked = {"orgID": bucket["orgID"], "bucketID": bucket["id"]}
        known = self._get("/api/v2/dbrps", asked).get("content", [])
        content = asked | {"database": self._bucket, "retention_policy": "autogen", "default": True}
        there = any(row["database"] == self._bucket and not row.get("virtual") for row in known)
        return self._piece(what, there, lambda: self._send("POST", "/api/v2/dbrps", content))

    def _piece(self, what: str, there: bool, make: Callable[[], object]) -> Piece:
        if there:
            return Piece(what, "was there")
        if not self._dry:
            make()
        return Piece(what, "would be made" if self._dry else "made")

    def _get(self, place: str, query: dict[str, str], missing: tuple[int, ...] = ()) -> dict[str, Any]:
        return self._json("GET", place, query, None, {}, missing)

    def _send(self, method: str, place: str, content: dict[str, Any]) -> dict[str, Any]:
        return self._json(method, place, {}, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _json(
        self,
        method: str,
        place: str,
        query: dict[str, str],
        body: bytes | None,
        headers: dict[str, str],
        missing: tuple[int, ...] = (),
    ) -> dict[str, Any]:
        status, _, answer = self._wire.request(method, place, query, body, **headers)
        if status in missing:
            return {}
        if status in (401, 403):
            raise UserError(f"{self._wire.address} does not allow it ({status}); give a token that may make buckets")
        if status >= 300:
            raise UserError(f"{self._wire.address} answered {status} at {place} ({self._wire.safe(answer)})")
        found: dict[str, Any] = json.loads(answer) if answer.strip() else {}
        return found


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _seconds(duration: str) -> int:
    """InfluxDB's 720h0m0s in seconds; 0 is for ever."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))
