"""`neurotwin plant`: the simulated plant as an OPC UA server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.commands.choice import Config
from controller.settings import load, process_of
from controller.support.child_process import until_stopped
from controller.support.user_error import UserError


def plant(
    config: Config,
    speed: Annotated[str, typer.Option(help="Process seconds per second, or max (lockstep).")] = "1",
    seed: Annotated[int, typer.Option(help="Which simulated batch.")] = 7,
    checkpoint: Annotated[Path | None, typer.Option(help="Kept at every scan; a restart goes on from it.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the true states here, for a judge only.")] = None,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong, and when (TOML).")] = None,
    security: Annotated[
        list[str] | None, typer.Option(help="A security policy to offer; may be repeated. Default: an open line.")
    ] = None,
    certificates: Annotated[
        Path, typer.Option(help="The plant's folder of own/plant.der, own/plant.pem and trusted/ clients.")
    ] = Path("plant_certificates"),
    certificate: Annotated[Path | None, typer.Option(help="Instead of own/plant.der.")] = None,
    key: Annotated[Path | None, typer.Option(help="Instead of own/plant.pem.")] = None,
    trusted: Annotated[Path | None, typer.Option(help="Folder of client certificates, instead of trusted/.")] = None,
    user: Annotated[str | None, typer.Option(help="The one who may log in, with --password-file.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="Its first line is the password.")] = None,
    user_certificates: Annotated[bool, typer.Option(help="Let in who owns a trusted certificate.")] = False,
) -> None:
    """Serve the simulated plant over OPC UA, at the endpoint of its configuration."""
    settings, pace, script = load(config), speed_of(speed), checked(faults)
    design = process_of(settings).design()
    from plant_sim import server
    from plant_sim.server.security import Security

    options = server.Options(
        design=design,
        endpoint=settings.connection.endpoint,
        seed=seed,
        speed=pace,
        checkpoint=checkpoint,
        truth=truth,
        lease_s=settings.supervisor.lease_s,
        faults=script,
        security=Security(
            policies=tuple(security or ("None",)),
            folder=certificates,
            certificate=certificate,
            key=key,
            trusted=trusted,
            user=user,
            password_file=password_file,
            user_certificates=user_certificates,
        ),
    )
    try:
        until_stopped(_announced(server.serve, options))
    except (OSError, ValueError) as fault:
        raise UserError(f"the simulated plant cannot run at {options.endpoint}: {fault}") from fault


async def _announced(serve: Callable[[Any, asyncio.Event], Coroutine[Any, Any, None]], options: Any) -> None:
    """Serve until cancelled, and print one line once clients can connect."""
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(options, ready))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if ready.is_set():
            print(f"plant ready {options.endpoint}", flush=True)
        await serving
    finally:
        waiting.cancel()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def checked(faults: Path | None) -> Path | None:
    """The fault script as an absolute path; UserError says what is wrong with it."""
    from plant_sim.faults import load as script

    if faults is not None:
        try:
            script(faults)
        except ValueError as fault:
            raise UserError(str(fault)) from None
        return faults.resolve()
    return None


def speed_of(text: str) -> float | None:
    """Process seconds per second; None for lockstep."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed <= 100_000.0:
        raise UserError(f"--speed {text}: give a number above 0 (at most 100000), or max")
    return speed
