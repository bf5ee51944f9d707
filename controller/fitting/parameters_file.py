"""A fitted model as a file: written by `neurotwin fit`, read when a configuration includes it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from controller.support.user_error import UserError
from twin.model import Model, Parameter

HEADER = '# Written by `neurotwin fit`; include it as parameters = "FILE" in the table [model] of a configuration.\n\n'


def with_fitted(model: Model, path: Path) -> Model:
    """The model with the parameters of this file; UserError says in one sentence why it cannot be used."""
    content = _read(path)
    if content.get("model") != model.name:
        raise UserError(f"{path}: was fitted for the model {content.get('model')!r}, and the plant's is {model.name!r}")
    given = content.get("parameter")
    if not isinstance(given, dict) or not given:
        raise UserError(f"{path}: holds no [parameter.NAME] table; write one with `neurotwin fit`")
    known = {item.name: item for item in model.parameters}
    for name, entry in given.items():
        known[name] = _taken(path, name, entry, known)
    return replace(model, parameters=tuple(known.values()))


def _taken(path: Path, name: str, entry: Any, known: Mapping[str, Parameter]) -> Parameter:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{path}: the model has no parameter {name!r}{hint}")
    value = entry.get("value") if isinstance(entry, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0.0:
        raise UserError(f"{path}: [parameter.{name}] value must be a number above 0, and it is {value!r}")
    unit = entry.get("unit")
    if unit != known[name].unit:
        raise UserError(f"{path}: [parameter.{name}] is given in {unit!r}, and the model takes {known[name].unit!r}")
    return replace(known[name], value=float(value), source=f"fitted: {path.name}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({(fault.strerror or 'unknown error').lower()})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise UserError(f"{path}: is not a TOML file: {fault}") from None
