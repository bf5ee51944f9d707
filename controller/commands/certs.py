"""`neurotwin certs`: the application certificate of a controller, and the servers that it trusts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.commands.choice import Config, Json
from controller.support.printing import shown

app = typer.Typer(help="Certificates for OPC UA: our own, and whom we trust.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="A thumbprint, or how it begins; `trust` takes a certificate file too.")]


@app.command()
def create(
    config: Config,
    host: Annotated[list[str] | None, typer.Option(help="Another name or address of this machine.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = 1825,
    renew: Annotated[bool, typer.Option(help="Replace the one there is; every server must trust it anew.")] = False,
    as_json: Json = False,
) -> None:
    """Make this controller's key and self-signed application certificate."""
    entry = _store(config).create(tuple(host or ()), days, renew)
    row = _row("own", entry)
    if as_json:
        print(json.dumps(row))
        return
    print(f"made {entry.path}, made out to {row['made out to']}, with the thumbprint {row['thumbprint']}")
    print("Next: let the OPC UA server trust this file, then `neurotwin check CONFIG --connect`.")


@app.command("list")
def list_(config: Config, as_json: Json = False) -> None:
    """Show our certificate, those we trust, and those we met and did not trust."""
    store = _store(config)
    own = [_row("own", store.own())] if store.own_certificate.is_file() else []
    rows = own + [_row(place, entry) for place in ("trusted", "rejected") for entry in store.entries(place)]
    if rows or as_json:
        shown(rows, as_json)
    else:
        print(f"{store.folder} holds no certificate; make one with `neurotwin certs create {config}`")


@app.command()
def trust(config: Config, which: Which) -> None:
    """Trust a server's certificate: a rejected one by its thumbprint, or one from a file."""
    entry = _store(config).trust(which)
    print(f"trusted {entry.thumbprint}; next: neurotwin check {config} --connect")


@app.command()
def reject(config: Config, which: Which) -> None:
    """Trust a certificate no longer."""
    entry = _store(config).reject(which)
    print(f"no longer trusted: {entry.thumbprint}")


def _store(config: Path) -> Any:
    from controller.edge.opcua.certificates import Store
    from controller.settings import load

    return Store(load(config).connection.certificates)


def _row(place: str, entry: Any) -> dict[str, str]:
    from controller.edge.opcua.certificates import alternative_names, subject_of

    return {
        "place": place,
        "thumbprint": entry.thumbprint,
        "subject": subject_of(entry.certificate),
        "made out to": ", ".join(alternative_names(entry.certificate)),
        "valid until": f"{entry.certificate.not_valid_after_utc:%Y-%m-%d}",
    }
