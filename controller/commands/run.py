"""`neurotwin run`: one reactor's controller."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.commands.choice import Config
from controller.loop.records import Mode
from controller.settings import load
from controller.support.child_process import until_stopped


def run(
    config: Config,
    mode: Annotated[Mode | None, typer.Option(help="Ask for this mode once the first scan is in.")] = None,
    hours: Annotated[float | None, typer.Option(help="Stop at this age of the batch.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the plant at the start.")] = 30.0,
) -> None:
    """Run the controller: read, learn, forecast, advise or act, record."""
    settings = load(config)
    from controller.assembly import assemble
    from controller.edge.serve import control

    until_stopped(control(settings, assemble, wait_s=wait, until_hours=hours, wanted=mode, config=config))
