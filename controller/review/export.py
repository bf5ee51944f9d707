"""A batch as files that other programs read: tables as Parquet or CSV, and a manifest that says what they are.

Every table has its row count and SHA-256 in the manifest, every column its unit. `read` checks them and gives the
same tables back, `decisions` the very records.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from controller.edge.historian import History
from controller.edge.historian.series import samples
from controller.edge.historian.wire import decode, encode
from controller.loop.records import Abstention, Decision, Suggestion
from controller.sessions import configured, versions
from controller.settings import Settings
from controller.support.user_error import UserError

Format = Literal["parquet", "csv"]
LAYOUT = 1  # of the manifest; a change that a reader must know of raises it
TIME = pa.timestamp("us", tz="UTC")
TEXT, NUMBER, WHOLE, FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
QUALITIES = "0 good, 1 uncertain, 2 bad"

# By table its columns: type and what it is, with its unit.
COLUMNS: Mapping[str, Mapping[str, tuple[pa.DataType, str]]] = {
    "samples": {
        "time": (TIME, "process time, UTC"),
        "series": (TEXT, "measurement.field"),
        "value": (NUMBER, "in the unit of its series; empty where there was none"),
        "quality": (WHOLE, QUALITIES),
    },
    "assays": {
        "variable": (TEXT, "its name"),
        "value": (NUMBER, "in the column unit"),
        "unit": (TEXT, "of the value"),
        "sampled_at": (TIME, "when the sample was drawn"),
        "reported_at": (TIME, "when the result was known"),
        "quality": (WHOLE, QUALITIES),
    },
    "events": {
        "time": (TIME, "process time, UTC"),
        "kind": (TEXT, "what it is about"),
        "text": (TEXT, "a sentence"),
    },
    "gaps": {
        "variable": (TEXT, "its name; empty: all"),
        "start": (TIME, "process time, UTC"),
        "end": (TIME, "process time, UTC; empty while it lasts"),
        "cause": (TEXT, "why there are no data"),
        "text": (TEXT, "a sentence"),
        "backfilled": (WHOLE, "samples fetched later"),
    },
    "decisions": {
        "number": (WHOLE, "in the historian"),
        "time": (TIME, "process time, UTC"),
        "mode": (TEXT, "off, shadow, advisory or auto"),
        "phase": (TEXT, "as the plant calls it"),
        "novelty": (NUMBER, "0 to 1"),
        "stability": (NUMBER, "0 to 1"),
        "suggestion": (TEXT, "its id; empty: none"),
        "reason": (TEXT, "of the suggestion, or why there is none"),
        "command": (TEXT, "the id of the command in force; empty: none"),
        "record": (TEXT, "all of the decision, as JSON"),
    },
    "sessions": {
        "time": (TIME, "process time, UTC"),
        "kind": (TEXT, "what was started"),
        "configuration": (TEXT, "as JSON"),
        "versions": (TEXT, "as JSON"),
    },
}


@dataclass(frozen=True, slots=True)
class Exported:
    """The tables of a batch by name, and the manifest that describes them."""

    tables: Mapping[str, pa.Table]
    manifest: Mapping[str, Any]

    def decisions(self) -> Iterator[Decision]:
        """The records of the turns, as they were taken."""
        for text in self.tables["decisions"].column("record").to_pylist():
            yield decode(text.encode())


def tables(history: History, plant: str, batch: str) -> dict[str, pa.Table]:
    """The tables of a batch; UserError when the historian does not know it."""
    if history.numbers(plant, batch) is None:
        known = ", ".join(history.batches(plant)[-8:]) or "none"
        raise UserError(f"no decision of batch {batch!r} of {plant} is in {history.path}; it has: {known}")
    numbered = list(history.numbered(plant, batch=batch))
    rows: dict[str, list[tuple[Any, ...]]] = {
        "samples": list(_samples(history, plant, batch, [numbered[0][1], numbered[-1][1]])),
        "assays": [
            (a.variable, a.value, a.unit, a.sampled_at, a.reported_at, int(a.quality))
            for a in history.assays(plant, batch)
        ],
        "events": [(e.time, e.kind, e.text) for e in history.events(plant, batch, limit=10**9)],
        "gaps": [
            (g.variable, g.start, g.end, str(g.cause), g.text, g.backfilled)
            for g in history.gaps(plant, batch, limit=10**9)
        ],
        "decisions": [_decided(number, decision) for number, decision in numbered],
        "sessions": [
            (s.time, s.kind, json.dumps(s.settings), json.dumps(s.versions))
            for _, s in history.sessions(plant)
            if s.batch == batch
        ],
    }
    return {name: _table(name, found) for name, found in rows.items()}


def _samples(history: History, plant: str, batch: str, ends: Sequence[Decision]) -> Iterator[tuple[Any, ...]]:
    names = dict.fromkeys(sample.series for decision in ends for sample in samples(decision))
    for name, found in history.trend(plant, batch, list(names)).items():
        for bucket in found:
            yield datetime.fromtimestamp(bucket.t_ms / 1000, UTC), name, bucket.mean, bucket.worst_quality


def _decided(number: int, decision: Decision) -> tuple[Any, ...]:
    proposal = decision.proposal
    return (
        number,
        decision.time,
        str(decision.mode),
        decision.situation.phase,
        decision.insight.novelty,
        decision.insight.stability,
        proposal.id if isinstance(proposal, Suggestion) else "",
        proposal.reason if isinstance(proposal, (Suggestion, Abstention)) else "",
        decision.command.id if decision.command else "",
        encode(decision).decode(),
    )


def _schema(name: str) -> pa.Schema:
    return pa.schema([pa.field(column, kind) for column, (kind, _) in COLUMNS[name].items()])


def _table(name: str, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    schema = _schema(name)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def write(found: Mapping[str, pa.Table], folder: Path, kind: Format, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write the tables and their manifest into a folder that is new or empty; returns the manifest."""
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; choose another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, table in found.items():
        path = folder / f"{name}.{kind}"
        _WRITERS[kind](table, path)
        columns = {column: what for column, (_, what) in COLUMNS[name].items()}
        files[name] = {"file": path.name, "rows": table.num_rows, "sha256": _checksum(path), "columns": columns}
    manifest = {"layout": LAYOUT, **about, "format": kind, "tables": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def read(folder: Path) -> Exported:
    """What was written there; a UserError names a file that is missing, or not what it was when it was exported."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds no export ({error}); name the folder with manifest.json in it") from None
    found = {}
    for name, described in manifest["tables"].items():
        path = folder / described["file"]
        if not path.is_file() or _checksum(path) != described["sha256"]:
            raise UserError(
                f"{path} is missing or not what was exported: its checksum is another; export the batch anew"
            )
        found[name] = _READERS[manifest["format"]](path, _schema(name))
    return Exported(found, manifest)


def about(history: History, settings: Settings, batch: str, at: datetime) -> dict[str, Any]:
    """What a manifest says of the batch as a whole: which, of what, measured how, by which versions."""
    plant = settings.plant_record()
    told = [
        {
            "name": v.name,
            "text": v.text,
            "unit": v.unit,
            "low": v.low,
            "high": v.high,
            "role": str(v.role),
            "source": f"{settings.connection.endpoint} {node}",
        }
        for v, node in zip(plant.variables, (v.node for v in settings.variables), strict=True)
    ]
    return {
        "batch": batch,
        "plant": plant.name,
        "model": plant.model,
        "description": settings.plant.description,
        "historian": str(history.path),
        "exported_at": at.isoformat(timespec="seconds"),
        "versions": versions(),
        "configuration": configured(settings),
        "variables": told,
    }


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_csv(table: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(table, path)


def _read_csv(path: Path, schema: pa.Schema) -> pa.Table:
    convert = pyarrow.csv.ConvertOptions(column_types=schema, strings_can_be_null=False)
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    options = pyarrow.csv.ReadOptions(block_size=64 << 20)  # a record is one field, and a field must fit into a block
    return pyarrow.csv.read_csv(path, options, parse, convert)


def _write_parquet(table: pa.Table, path: Path) -> None:
    pyarrow.parquet.write_table(table, path, compression="zstd")


def _read_parquet(path: Path, schema: pa.Schema) -> pa.Table:
    return pyarrow.parquet.read_table(path, schema=schema)


_WRITERS: Mapping[Format, Callable[[pa.Table, Path], None]] = {"csv": _write_csv, "parquet": _write_parquet}
_READERS: Mapping[Format, Callable[[Path, pa.Schema], pa.Table]] = {"csv": _read_csv, "parquet": _read_parquet}
