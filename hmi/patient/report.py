"""The report of one patient's scenario: one HTML file that holds all it shows and asks the network for nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hmi.patient import figure as patient_figure

NAMES = {"D": "distance from target", "V": "swing", "N": "novelty", "A": "adverse step"}


def render(content: Mapping[str, Any]) -> str:
    """The report's HTML, of the scenario's content as it stands in the command's JSON."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"day": _day, "plain": _plain, "signed": _signed, "caption": _caption}
    figure = base64.b64encode(patient_figure.png(content)).decode()
    scores = [i["score"] for i in content["intervals"]]
    return environment.get_template("report.html").render(
        c=content,
        figure=figure,
        first=scores[0] if scores else None,
        last=scores[-1] if scores else None,
        parts=_parts(content),
        further={s["index"]: _further(s) for s in content["suggestions"]},
        data=content.get("data", {}),
        versions=content.get("versions", {}),
        extras=content.get("extras", []),
    )


def write(content: Mapping[str, Any], path: Path) -> None:
    """Write the report."""
    path.write_text(render(content), encoding="utf-8")


def _parts(content: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The components at the newest sample, by their names."""
    newest = content["intervals"][-1]["components"] if content["intervals"] else {}
    return [(NAMES.get(key, key), float(value)) for key, value in newest.items()]


def _further(suggestion: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a suggestion says beside its reason and effect: caption and text."""
    told = [("Evidence", _evidence(one)) for one in suggestion.get("evidence") or ()]
    if suggestion.get("confidence") is not None:
        share = 100.0 * suggestion["confidence"]
        carrying_on = "that mood rises by what counts within seven days, as prescribed"
        what = "that the benefit is more than the least that counts" if suggestion["effect"] else carrying_on
        told.append(("Confidence", f"{share:.0f} % {what}"))
    return told + [("Alternative", str(text)) for text in suggestion.get("alternatives") or ()]


def _evidence(one: Mapping[str, Any]) -> str:
    doubt = "; to be verified by a person" if one["verify"] else ""
    return f"{one['id']} ({one['strength']}{doubt}): {one['citation']}"


def _day(time_h: float) -> str:
    """A time as people count it: day 1 is the first."""
    day = int(time_h // 24)
    hour = f"{time_h - 24 * day:.2f}".rstrip("0").rstrip(".")
    return f"day {day + 1}, {hour} h"


def _plain(value: Any) -> str:
    """Any plain data as words."""
    if isinstance(value, Mapping):
        return "; ".join(f"{_caption(str(k))} {_plain(v)}" for k, v in value.items() if v not in (None, "", [], ()))
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(item) for item in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _caption(name: str) -> str:
    return name.replace("_", " ")
