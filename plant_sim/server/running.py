"""Server process of the plant: its clock, its files, and the process that it may be."""

from __future__ import annotations

import asyncio
import math
import signal
import sys
from contextlib import ExitStack
from urllib.parse import urlsplit

from asyncua.server.server import Server

from plant_sim import checkpoint
from plant_sim.server.options import Options, arguments
from plant_sim.server.plant import PlantServer
from plant_sim.server.security import protect, server_for

POLL_S = 0.05  # between two looks whether the connection shall be lost
SHORTEST_LOSS_S = 1.0  # by the clock, so that a client notices


async def serve(options: Options, ready: asyncio.Event | None = None) -> None:
    """Serve until cancelled; ValueError or OSError when it cannot start."""
    if objection := options.security.objection(options.endpoint):
        raise ValueError(objection)
    server = server_for(options.security)
    plant = PlantServer(options, server)
    await server.init()
    server.set_endpoint(options.endpoint)
    server.set_server_name("NeuroTwin simulated plant")
    await protect(server, options.security, urlsplit(options.endpoint).hostname or "localhost")
    server.allow_remote_admin(False)
    await plant.build()
    await plant.show()
    async with server:  # only who holds the port may write to the batch's files
        with ExitStack() as stack:
            if options.truth is not None:
                hours = plant.batch.elapsed_s / 3600.0
                plant.truth = stack.enter_context(checkpoint.TruthLog(options.truth, hours))
            plant.keep()
            if ready is not None:
                ready.set()
            await _run(plant, server, options)


async def _run(plant: PlantServer, server: Server, options: Options) -> None:
    """Keep process time in step with the clock; one that cannot keep up falls behind rather than jumps."""
    if options.speed is None:
        await _led(plant, server, options)
        return
    clock, reachable = asyncio.get_running_loop().time, True
    due = clock()
    while True:
        due = max(due + options.scan_s / options.speed, clock())
        await asyncio.sleep(due - clock())
        await plant.advance(options.scan_s)
        if (plant.unreachable_until_s() is None) is not reachable:
            reachable = not reachable
            await (_listen(server) if reachable else _hang_up(server))


async def _led(plant: PlantServer, server: Server, options: Options) -> None:
    """Let clients advance the plant; while none can reach it, its time goes on by itself, then it is back."""
    while True:
        await asyncio.sleep(POLL_S)
        until_s = plant.unreachable_until_s()
        if until_s is None:
            continue
        await _hang_up(server)
        began = asyncio.get_running_loop().time()
        while math.isfinite(until_s) and plant.batch.elapsed_s < until_s - 1e-6:
            await plant.advance(min(options.scan_s, until_s - plant.batch.elapsed_s))
            await asyncio.sleep(0)
        if not math.isfinite(until_s):
            await asyncio.Event().wait()  # for ever
        await asyncio.sleep(max(0.0, SHORTEST_LOSS_S - (asyncio.get_running_loop().time() - began)))
        await _listen(server)


async def _hang_up(server: Server) -> None:
    """Drop every client, and answer no new one."""
    if server.bserver is not None:
        await server.bserver.stop()


async def _listen(server: Server) -> None:
    """Answer again."""
    if server.bserver is not None:
        await server.bserver.start()


async def _main(options: Options) -> None:
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(options, ready))
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, serving.cancel)
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if ready.is_set():
        print(f"plant ready {options.endpoint}", flush=True)
    try:
        await serving
    except asyncio.CancelledError:
        pass


def main(argv: list[str] | None = None) -> int:
    """Run the plant as a process of its own, until SIGTERM or SIGINT."""
    try:
        asyncio.run(_main(arguments(argv)))
    except (ValueError, OSError) as error:
        print(f"the plant cannot run: {error}", file=sys.stderr)
        return 2
    return 0
