"""Controller process: the runner, its historian, its forwarder and its gateway, opened and closed in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import structlog
import uvicorn

from controller.assembly import Assembly
from controller.edge.check import remarks
from controller.edge.gateway import application, hang_up
from controller.edge.gateway.access import Access
from controller.edge.gateway.connections import Connection, allow_files
from controller.edge.gateway.reporting import RunnerSource
from controller.edge.gateway.source import Source
from controller.edge.historian import Historian
from controller.edge.historian.nightly import Nightly
from controller.edge.notification import notifying
from controller.edge.opcua import PlantLink
from controller.edge.reports import Reports
from controller.edge.runner import Runner
from controller.edge.users import Users, token_at
from controller.loop.records import Mode
from controller.settings import Settings
from controller.support.user_error import UserError
from controller.tables import AccessTable, ServiceTable

log = structlog.get_logger()
FORWARDER_PATIENCE_S = 5.0  # what is not sent by then waits in the outbox for the next start


async def control(
    settings: Settings,
    assemble: Callable[[Settings], Assembly],
    wait_s: float,
    until_hours: float | None = None,
    wanted: Mode | None = None,
    gateway: bool = True,
    config: Path | None = None,
) -> Runner:
    """Run one reactor's controller until it is cancelled or the batch is old enough; returns the spent runner.

    `config` is the file that the settings came from: reports are made from it.
    """
    async with contextlib.AsyncExitStack() as opened:
        # Looked at first, so that a wrong endpoint or tag is told at once; let go while compiling keeps us busy.
        async with contextlib.AsyncExitStack() as look:
            await _connected(settings, wait_s, look)
        historian = Historian(settings.historian_path(), outbox=settings.influx is not None)
        opened.callback(historian.close)
        opened.enter_context(Nightly(historian.path, settings.historian.raw_days))
        if settings.influx is not None:
            from controller.edge.influx import Forwarder  # a second's import, for those who have the table only

            forwarder = Forwarder.of(settings, historian)
            opened.callback(forwarder.close, FORWARDER_PATIENCE_S)
        assembly = await asyncio.to_thread(assemble, settings)
        link = await _connected(settings, wait_s, opened)
        runner = Runner(settings, assembly.parts, assembly.core, assembly.rebuild_core, link, historian)
        told = notifying(settings.notification, settings.plant.name, runner.untold)
        runner.announcer.notifier = await opened.enter_async_context(told)
        if gateway:
            await opened.enter_async_context(_gateway(runner, assembly, Reports(config)))
        await runner.run(until_hours, wanted)
    return runner


async def _connected(settings: Settings, wait_s: float, opened: contextlib.AsyncExitStack) -> PlantLink:
    """A link to the plant whose every tag is as configured; the stack closes it."""
    link = PlantLink(settings)
    opened.push_async_callback(link.close)
    await link.connect(deadline_s=wait_s)
    for told in remarks(settings, link.forbidden):
        log.warning(told)
    return link


@contextlib.asynccontextmanager
async def _gateway(runner: Runner, assembly: Assembly, reports: Reports) -> AsyncIterator[None]:
    """Serve the gateway beside the runner, in the same event loop."""
    at = runner.settings.gateway
    with contextlib.closing(Historian.reader(runner.settings.historian_path())) as reader:
        source = RunnerSource(runner, assembly.model, reader, reports)
        async with serving(source, at.host, at.port, at, runner.settings.access):
            yield


@contextlib.asynccontextmanager
async def serving(
    source: Source, host: str, port: int, at: ServiceTable | None = None, access: AccessTable | None = None
) -> AsyncIterator[None]:
    """Serve the gateway over a source while the block runs, in the same event loop."""
    at = at or ServiceTable(host=host, port=port)
    app = application(source, _access(access), at.names)
    listening = _listening(at.host, at.port)
    allow_files()
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        http=Connection,
        timeout_graceful_shutdown=2,
        ssl_certfile=at.tls_certificate,
        ssl_keyfile=None if at.tls_key is None else str(at.tls_key),
        proxy_headers=at.behind_proxy,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    log.info("gateway ready", url=f"{at.url}/docs")
    try:
        yield
    finally:
        hang_up(app)  # the streams would keep the server waiting
        server.should_exit = True
        await task


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; UserError when that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as fault:
        reason = (fault.strerror or "unknown error").partition(" (")[0].lower()
        raise UserError(
            f"the gateway cannot listen at {host}:{port} ({reason}); end what is there, or give [gateway] another port"
        ) from None


def _access(table: AccessTable | None) -> Access | None:
    """The sessions that the configuration asks for; UserError when nobody could ever sign in."""
    if table is None:
        return None
    users = Users(table.users)
    if not users.known():
        raise UserError(f"{table.users} knows no user yet; add one: neurotwin users add CONFIG NAME --role engineer")
    return Access(users, token_at(table.token_path), table.session_h * 3600.0, table.idle_min * 60.0)


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
