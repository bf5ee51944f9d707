"""`neurotwin historian`: what is in it, whether it is sound, its archive, its copies and its version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from controller.commands.choice import Json
from controller.support.printing import told
from controller.support.user_error import UserError

historian = typer.Typer(help="The embedded historian: state, archive, copies, check.", no_args_is_help=True)

Of = Annotated[Path, typer.Argument(help="A configuration (TOML), or the historian's file itself.")]


@historian.command()
def status(of: Of, as_json: Json = False) -> None:
    """Say what is in it and what it takes; it may be in use."""
    from controller.edge.historian.status import standing

    found = standing(_file(of)).told()
    print(json.dumps(found) if as_json else told(found))


@historian.command()
def check(of: Of, as_json: Json = False) -> None:
    """Read all of it and of its archive; exit code 2 when anything is damaged."""
    from controller.edge.historian.status import check as checked

    file = _file(of)
    with _progress(f"reading {file}"):
        found = checked(file)
    if as_json:
        print(json.dumps({"file": str(file), "sound": not found, "damage": found}))
    elif found:
        print("\n".join(found))
    else:
        print(f"{file} is sound")
    if found:
        raise SystemExit(2)


@historian.command()
def archive(
    of: Of,
    days: Annotated[
        float | None, typer.Option(help="Let go of live scans older than this; else as configured.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write finished days to Parquet now. A running controller does so by itself."""
    from controller.edge.historian.archiving import RAW_DAYS, archive_days

    if days is not None and days < 1:
        raise UserError(f"--days {days:g}: give at least 1, since the newest day is always live")
    file, configured = _file(of), _settings_raw_days(of)
    with _progress(f"archiving {file}") as telling:
        done = archive_days(file, days or configured or RAW_DAYS, telling)
    found = {"files": done.files, "scans": done.scans, "mb": done.megabytes, "pruned_scans": done.pruned_scans}
    print(json.dumps(found) if as_json else told(found))


@historian.command()
def backup(
    of: Of,
    to: Annotated[
        Path | None, typer.Option(help="A new folder; beside the file, named by the time, by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy it with its archive, while the controller runs. To restore, put the folder's content in place."""
    from controller.edge.historian.backup import backup as copied

    file = _file(of)
    folder = to or file.parent / f"{file.stem}-backup-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with _progress(f"copying {file}") as telling:
        made = copied(file, folder, telling)
    print(json.dumps({"file": str(made), "mb": made.stat().st_size / 1e6}) if as_json else f"wrote {made}")


@historian.command()
def migrate(of: Of) -> None:
    """Bring a file of an older version up to date, all of it or nothing; the controller must not run."""
    from controller.edge.historian import Historian, schema

    file = _file(of)
    if not file.is_file():
        raise UserError(f"{file} does not exist; give the historian's file or the configuration that names it")
    with _progress(f"bringing {file} up to date"):
        Historian(file).close()
    print(f"{file} is of version {schema.VERSION}")


@historian.command()
def gaps(
    of: Of,
    batch: Annotated[str | None, typer.Option(help="Of this batch only.")] = None,
    as_json: Json = False,
) -> None:
    """List the intervals without data, each with its cause and what was fetched for it later."""
    from controller.edge.historian import History
    from controller.support.printing import shown

    with History(_file(of)) as history:
        found = history.gaps(batch=batch)
    shown(
        [
            {
                "start": gap.start.isoformat(timespec="seconds"),
                "end": gap.end.isoformat(timespec="seconds") if gap.end else "",
                "batch": gap.batch,
                "variable": gap.variable or "all",
                "cause": str(gap.cause),
                "backfilled": gap.backfilled,
                "text": gap.text,
            }
            for gap in found
        ],
        as_json,
    )


def _file(of: Path) -> Path:
    """The historian that a configuration or a path means."""
    if of.suffix != ".toml":
        return of
    from controller.settings import load

    return load(of).historian_path()


def _settings_raw_days(of: Path) -> float | None:
    if of.suffix != ".toml":
        return None
    from controller.settings import load

    return load(of).historian.raw_days


@contextmanager
def _progress(title: str) -> Iterator[Callable[[str], None]]:
    """A spinner on standard error whose line can be changed; lines stay when it is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(title) as shown:

        def telling(line: str) -> None:
            shown.update(line)
            if not console.is_terminal:
                console.print(line)

        yield telling
