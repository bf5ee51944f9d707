"""Web application of the console: NiceGUI's pages over one line to each gateway."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from hmi.console.door import SameOrigin, is_loopback
from hmi.console.link import Gateway, Link
from hmi.console.pages import create_pages
from hmi.console.people import People

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="5" fill="#3d4a55"/>'
    '<path d="M6 21h6l3-11 4 15 3-9h4" fill="none" stroke="#e7eaec" stroke-width="2.4"/></svg>'
)
SHIFT_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class At:
    """Where the console listens, and how it is reached there."""

    host: str = "127.0.0.1"
    port: int = 8421
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    behind_proxy: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether browsers reach it by https."""
        return self.certificate is not None or self.behind_proxy


def application(gateways: Sequence[Gateway], encrypted: bool = False) -> FastAPI:
    """The console over these gateways."""
    links = [Link(gateway) for gateway in gateways]

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        lines = [asyncio.create_task(link.run()) for link in links]
        yield
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    create_pages(links, People(links))
    ui.run_with(
        app,
        title="NeuroTwin",
        favicon=ICON,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=15.0,
        show_welcome_message=False,
        storage_secret=secrets.token_urlsafe(32),  # a restart of the console ends all sessions
        session_middleware_kwargs={"same_site": "strict", "https_only": encrypted, "max_age": SHIFT_S},
    )
    return app


class _Announced(uvicorn.Server):
    """A server that says where it is once it can be asked."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()


def run(gateways: Sequence[Gateway], at: At | None = None) -> None:
    """Serve the console until interrupted; port 0 takes a free one."""
    at = at or At()
    if not is_loopback(at.host) and not at.encrypted:
        raise ValueError(f"host {at.host!r} can be reached from other machines; give a certificate and its key")
    # On loopback only known names are served; elsewhere too, if any were named.
    names = at.names if is_loopback(at.host) or at.names else None
    app = SameOrigin(application(gateways, at.encrypted), names)
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    listening = socket.create_server((at.host, at.port), family=family)
    named = f"[{at.host}]" if ":" in at.host else at.host
    url = f"{'http' if at.certificate is None else 'https'}://{named}:{listening.getsockname()[1]}"
    # NiceGUI starts in the lifespan. The grace is short because browsers never hang up by themselves.
    config = uvicorn.Config(
        app,
        ws="wsproto",
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=1,
        ssl_certfile=at.certificate,
        ssl_keyfile=None if at.key is None else str(at.key),
        proxy_headers=at.behind_proxy,
    )
    server = _Announced(config, lambda: print(f"console ready {url}", flush=True))
    with listening, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
