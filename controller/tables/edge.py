"""The outside world: the connection and its supervision, the historian and InfluxDB."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from controller.support.user_error import UserError
from controller.tables.values import (
    STRICT,
    Flag,
    Positive,
    Text,
    first_line,
    is_loopback,
    readable,
    require,
)


@dataclass(frozen=True, config=STRICT)
class ConnectionTable:
    """[connection]: where the plant's OPC UA server is and how patiently it is asked."""

    endpoint: Text
    namespace: Text  # URI; the index is looked up anew at every connection
    timeout_s: Positive = 5.0
    settle_s: Positive = 2.0  # wall seconds that a gateway may take to show what was written
    scan_s: Positive = 300.0  # process seconds between turns
    poll_s: Positive = 0.2  # wall seconds between looks at a plant that runs by itself
    lockstep: Flag = False  # advance the plant scan by scan, when it offers `advance_node`
    advance_node: Text | None = None
    reconnect_max_delay_s: Positive = 4.0
    security: Literal["None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = "None"
    security_mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"  # without meaning when security is "None"
    certificates: Path = Path("certificates")  # the folder of own, trusted and rejected certificates
    user: Text | None = None
    password_file: Path | None = None
    user_certificate: Path | None = None  # login by certificate instead of a password
    user_key: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> ConnectionTable:
        scheme, host = urlsplit(self.endpoint).scheme, urlsplit(self.endpoint).hostname
        require(
            scheme == "opc.tcp" and host is not None,
            f"endpoint {self.endpoint!r} is no OPC UA address; write it as 'opc.tcp://host:4840/path'",
        )
        require(not self.lockstep or self.advance_node is not None, "lockstep needs advance_node; add it")
        self._login(host)
        return self

    def _login(self, host: str | None) -> None:
        """Refuse a login that is half given, given twice, or told to anybody who listens."""
        require(
            (self.user is None) == (self.password_file is None),
            "user and password_file go together; give both, or neither for an anonymous session",
        )
        require(
            (self.user_certificate is None) == (self.user_key is None),
            "user_certificate and user_key go together; give both, or neither",
        )
        require(self.user is None or self.user_certificate is None, "give user or user_certificate, not both")
        secret = self.user is not None and self.security == "None"
        require(
            not secret or is_loopback(host or ""),
            f"a password would go to {host!r} over an open line; set security, for example to 'Basic256Sha256'",
        )
        for key in ("password_file", "user_certificate", "user_key"):
            readable(key, getattr(self, key))

    def password(self) -> str | None:
        """The first line of the password file; None for an anonymous session."""
        return None if self.password_file is None else first_line(self.password_file)


@dataclass(frozen=True, config=STRICT)
class SupervisorTable:
    """[supervisor]: the heartbeat by which the plant knows the controller lives; without one nothing is written."""

    heartbeat: Text | None = None
    owner: Text | None = None  # where a controller claims the plant, if the plant grants that to one session at a time
    lease_s: Positive = 3600.0  # how long the plant waits for a beat; compared with `lease_node`
    lease_node: Text | None = None
    in_control: Text | None = None
    lapses: Text | None = None
    unsupervised: Flag = False  # AUTO also where the plant does not go back to its own recipe by itself


@dataclass(frozen=True, config=STRICT)
class HistorianTable:
    """[historian]: the SQLite file that holds every scan and decision; {plant} stands for the plant's name."""

    path: Path
    raw_days: Annotated[Positive, Field(ge=1)] = 14.0  # process days until scans are in the archive only


@dataclass(frozen=True, config=STRICT)
class InfluxTable:
    """[influx]: the InfluxDB that the outbox feeds; without this table nothing is forwarded."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    bucket: Text  # of version 1: the database, or database/retention-policy
    org: str = ""
    token_file: Path | None = None
    token_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    retention_days: Annotated[float, Field(ge=0)] = 0.0  # what `neurotwin influx setup` asks for; 0: for ever

    @model_validator(mode="after")
    def _token(self) -> InfluxTable:
        readable("token_file", self.token_file)
        require("@" not in urlsplit(self.url).netloc, "url holds a password; put user:password into the token file")
        require(self.token_file is None or self.token_env is None, "token_file and token_env are both given; keep one")
        return self

    def token(self) -> str:
        """The secret: the first line of the token file, or the environment's; "" for a server that wants none."""
        if self.token_file is not None:
            return first_line(self.token_file)
        found = os.environ.get(self.token_env, "") if self.token_env else ""
        if self.token_env and not found:
            raise UserError(f"[influx] token_env: the environment has no {self.token_env}; set it, or use token_file")
        return found
