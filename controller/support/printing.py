"""How the command line shows things: tables of equal columns, figures by name, progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from controller.support.visible import visible


def shown(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table of equal columns, or as JSON."""
    if as_json:
        print(json.dumps({"rows": rows}))
        return
    columns = list(rows[0]) if rows else []
    table = [columns, *([visible(str(row[c])) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def told(report: Mapping[str, Any]) -> str:
    """The report as lines for a person."""
    lines = []
    for key, value in report.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
        lines.append(f"{key:28} {visible(str(value))}")
    return "\n".join(lines)


def progress(done: int, of: int) -> None:
    """Say how far long work is."""
    sys.stderr.write(f"\r{done} of {of}" + ("\n" if done == of else ""))
    sys.stderr.flush()
