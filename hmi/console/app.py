"""The console as a web application: NiceGUI's pages over one line to the gateway, served on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hmi.console.link import Link
from hmi.console.parts import Text, box
from hmi.console.reactor import TICK_S, reactor_page

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="5" fill="#3d4a55"/>'
    '<path d="M6 21h6l3-11 4 15 3-9h4" fill="none" stroke="#e7eaec" stroke-width="2.4"/></svg>'
)


def create_pages(link: Link) -> None:
    """Register the pages: the list of reactors and one page for each."""
    ui.add_css(Path(__file__).with_name("console.css").read_text(encoding="utf-8"), shared=True)

    @ui.page("/", title="NeuroTwin")
    async def plants() -> None:
        await ui.context.client.connected()
        with box("banner"):
            told = Text("div", f"Looking for the controller at {link.url}.", "line calm")

        def forward() -> None:
            if link.plant is None:
                told.set_text(f"✕ The controller at {link.url} is not reachable yet. Trying again every second.")
            else:
                timer.deactivate()
                ui.navigate.to(f"/reactor/{quote(link.plant['name'], safe='')}")

        timer = ui.timer(TICK_S, forward)

    @ui.page("/reactor/{name}", title="NeuroTwin")
    async def reactor(name: str) -> None:
        ui.page_title(f"{name} · NeuroTwin")
        await reactor_page(link, name)


def application(gateway_url: str) -> FastAPI:
    """The console over the gateway at that address."""
    if urlsplit(gateway_url).scheme not in {"http", "https"} or not urlsplit(gateway_url).hostname:
        raise ValueError(f"gateway {gateway_url!r} is no web address; write it as 'http://127.0.0.1:8420'")
    link = Link(gateway_url)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        line = asyncio.create_task(link.run())
        yield
        line.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await line

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    create_pages(link)
    ui.run_with(
        app,
        title="NeuroTwin",
        favicon=ICON,
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=15.0,
        show_welcome_message=False,
    )
    return app


class SameOrigin:
    """Middleware that keeps pages of other sites, and other names for this machine, away from the console."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self._app, self._loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or turn it away."""
        if scope["type"] in {"http", "websocket"} and not self._welcome(Headers(scope=scope)):
            if scope["type"] == "http":
                await PlainTextResponse("This console serves its own pages only.", 403)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _welcome(self, headers: Headers) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        known = not self._loopback or is_loopback(urlsplit(f"//{host}").hostname or "")
        return known and (origin is None or urlsplit(origin).netloc == host)


def is_loopback(name: str) -> bool:
    """Whether the name is one of this machine's names for itself."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class _Announced(uvicorn.Server):
    """A server that says where it is once it can be asked."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()


def run(gateway_url: str, host: str = "127.0.0.1", port: int = 8421) -> None:
    """Serve the console until interrupted; port 0 takes a free one."""
    app = SameOrigin(application(gateway_url), is_loopback(host))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    named = f"[{host}]" if ":" in host else host
    url = f"http://{named}:{listening.getsockname()[1]}"
    # NiceGUI starts in the lifespan. The grace is short because browsers never hang up by themselves.
    config = uvicorn.Config(app, ws="wsproto", lifespan="on", log_level="warning", timeout_graceful_shutdown=1)
    server = _Announced(config, lambda: print(f"console ready {url}", flush=True))
    with listening, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
