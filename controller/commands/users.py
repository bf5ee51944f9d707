"""`neurotwin users`: who may sign in at the gateway and the console, and in which role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.commands.choice import Config, Json
from controller.settings import load
from controller.support.printing import shown
from controller.support.user_error import UserError

if TYPE_CHECKING:
    from controller.edge.users import Users

app = typer.Typer(help="Who may sign in, and in which role.", no_args_is_help=True)

Who = Annotated[str, typer.Argument(help="The name to sign in with.")]
ROLES = ("viewer", "operator", "engineer")
NAME = re.compile(r"[^\W_][\w .@'-]{0,78}")


@app.command()
def add(
    config: Config,
    name: Who,
    role: Annotated[str, typer.Option(help="viewer, operator or engineer.")] = "operator",
) -> None:
    """Add a person, or give one a new password: it is shown once and kept nowhere."""
    from controller.edge.users import UserRole

    if role not in ROLES:
        raise UserError(f"--role {role}: give one of {', '.join(ROLES)}")
    if not NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name to sign in with; use letters, digits, blanks and . @ ' -")
    password = _users(config).add(name, UserRole(role))
    print(f"{name} may sign in as {role} with this password, which is shown only now:\n{password}")


@app.command("list")
def list_(
    config: Config,
    as_json: Json = False,
) -> None:
    """Show everybody who may sign in."""
    users = _users(config)
    rows = [{"name": user.name, "role": str(user.role)} for user in users.known().values()]
    if rows or as_json:
        shown(rows, as_json)
    else:
        print(f"{users.path} knows no user yet; add one with `neurotwin users add {config} NAME`")


@app.command()
def remove(config: Config, name: Who) -> None:
    """Take a person out; whoever is signed in under this name is out at once."""
    _users(config).remove(name)
    print(f"{name} may not sign in any more")


def _users(config: Path) -> Users:
    from controller.edge.users import Users

    settings = load(config)
    if settings.access is None:
        raise UserError(f'{config} has no table [access]; add it: [access] and below it users = "users.json"')
    return Users(settings.access.users)
