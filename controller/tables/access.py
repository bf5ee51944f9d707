"""Who may come in: where gateway and console listen, and the users that sign in there."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from controller.tables.values import STRICT, Flag, Port, Positive, Text, is_loopback, readable, require


@dataclass(frozen=True, config=STRICT)
class ServiceTable:
    """[gateway] and [console]: where each of them listens; beyond this machine only with TLS or behind a proxy."""

    host: Text = "127.0.0.1"
    port: Port = 8420
    tls_certificate: Path | None = None  # PEM, the chain of the server
    tls_key: Path | None = None
    behind_proxy: Flag = False  # a reverse proxy in front ends the TLS
    names: tuple[Text, ...] = ()  # host names under which it is reached, besides those of loopback

    @model_validator(mode="after")
    def _closed(self) -> ServiceTable:
        require(
            (self.tls_certificate is None) == (self.tls_key is None),
            "tls_certificate and tls_key go together; give both, or neither",
        )
        readable("tls_certificate", self.tls_certificate)
        readable("tls_key", self.tls_key)
        require(
            self.loopback or self.tls_certificate is not None or self.behind_proxy,
            f"host {self.host!r} can be reached from other machines without encryption; give tls_certificate and"
            " tls_key, say behind_proxy = true if a reverse proxy encrypts, or use '127.0.0.1'",
        )
        return self

    @property
    def loopback(self) -> bool:
        """Whether it is reached from this machine only."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """Its address as this machine reaches it."""
        anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
        host = anywhere.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)
        return f"{'http' if self.tls_certificate is None else 'https'}://{host}:{self.port}"


@dataclass(frozen=True, config=STRICT)
class AccessTable:
    """[access]: people sign in, and each acts in the own name; without this table everybody here may do everything."""

    users: Path  # `neurotwin users add CONFIG NAME` writes it
    token_file: Path | None = None  # of programs that only look; beside the users when not given
    session_h: Positive = 12.0
    idle_min: Positive = 60.0

    @property
    def token_path(self) -> Path:
        """Where the gateway's token is kept."""
        return self.token_file or self.users.with_name("gateway.token")
