"""One controller process: the runner, its historian, its forwarder and its gateway, opened and closed in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
import uvicorn

from controller.assembly import Assembly
from controller.edge.gateway import application
from controller.edge.historian import Historian
from controller.edge.influx import Forwarder
from controller.edge.opcua import PlantLink
from controller.edge.runner import Runner
from controller.edge.reporting import Report
from controller.records import Mode
from controller.settings import Settings

log = structlog.get_logger()


async def control(
    settings: Settings,
    assemble: Callable[[Settings], Assembly],
    wait_s: float,
    until_hours: float | None = None,
    wanted: Mode | None = None,
    gateway: bool = True,
) -> Runner:
    """Run one reactor's controller until it is cancelled or the batch is old enough; returns the spent runner."""
    link = PlantLink(settings)
    await link.connect(deadline_s=wait_s)
    try:
        await link.verify()
        assembly = await asyncio.to_thread(assemble, settings)
        historian = Historian(settings.historian_path(), outbox=settings.influx is not None)
    except BaseException:
        await link.close()
        raise
    forwarder = Forwarder.of(settings, historian) if settings.influx else None
    runner = Runner(settings, assembly.parts, assembly.core, assembly.rebuild_core, link, historian, forwarder)
    try:
        async with _gateway(runner) if gateway else contextlib.nullcontext():
            await runner.run(until_hours, wanted)
    finally:
        if forwarder is not None:
            forwarder.close(5.0)
        historian.close()
    return runner


@contextlib.asynccontextmanager
async def _gateway(runner: Runner) -> AsyncIterator[None]:
    """Serve the gateway beside the runner, in the same event loop."""
    at = runner.settings.gateway
    config = uvicorn.Config(
        application(Report(runner, model, reader)), host=at.host, port=at.port, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined,method-assign]
    task = asyncio.create_task(server.serve())
    try:
        log.info("gateway ready", url=f"http://{at.host}:{at.port}/docs")
        yield
    finally:
        server.should_exit = True
        await task
