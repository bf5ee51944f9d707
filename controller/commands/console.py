"""`neurotwin console`: the operator console before the gateways of one or several configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from controller.settings import Settings, load
from controller.support.user_error import UserError


def console(
    config: Annotated[list[Path], typer.Argument(help="The configuration of each reactor; [console] of the first.")],
) -> None:
    """Serve the operator console of one reactor, or of several."""
    _serve([load(path) for path in config])


def _serve(all_settings: Sequence[Settings]) -> None:
    """Serve it until interrupted; the [console] of the first configuration says where."""
    from controller.edge.users import token_at
    from hmi.console.app import At, run
    from hmi.console.link import Gateway

    at = all_settings[0].console
    if not at.loopback and any(settings.access is None for settings in all_settings):
        raise UserError("each of several reactors needs a table [access] when the console leaves this machine; add it")
    gateways = [
        Gateway(
            settings.gateway.url,
            "" if settings.access is None else token_at(settings.access.token_path),
            settings.gateway.tls_certificate,
        )
        for settings in all_settings
    ]
    run(gateways, At(at.host, at.port, at.tls_certificate, at.tls_key, at.names, at.behind_proxy))
