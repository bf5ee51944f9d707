"""Configuration proposal: what a server shows, mapped to variables where names and units tell what they are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controller.edge.opcua.browsing import BrowsedTag
from controller.edge.opcua.tags import TagKind
from controller.edge.tag_names import Meaning, lint, meaning


@dataclass(frozen=True, slots=True)
class Proposed:
    """One variable: its value's tag, its setpoint's if it has one that we may write, and how it was recognised."""

    name: str
    quantity: str
    value: BrowsedTag
    setpoint: BrowsedTag | None
    known_by: str


def propose(found: Sequence[BrowsedTag]) -> list[Proposed]:
    """The variables that the server's numbers come to, in its order; what nobody recognises keeps its own name."""
    loops: dict[str, dict[bool, tuple[BrowsedTag, Meaning]]] = {}
    for item in found:
        said = meaning(item.path, item.facts.unit or "") if TagKind.NUMBER in item.facts.kinds else None
        if said is not None:
            loops.setdefault(said.loop, {}).setdefault(said.setpoint, (item, said))
    named = []
    for loop in loops.values():
        if False not in loop:
            continue  # a setpoint of nothing that is measured
        item, said = loop[False]
        wanted = loop.get(True)
        setpoint = wanted[0] if wanted is not None and wanted[0].facts.writable else None
        named.append((said.quantity or _own_name(item), said, item, setpoint))
    times = Counter(name for name, *_ in named)
    used: Counter[str] = Counter()
    proposed = []
    for name, said, item, setpoint in named:
        used[name] += 1
        unique = name if times[name] == 1 else f"{name}_{used[name]}"
        proposed.append(Proposed(unique, said.quantity, item, setpoint, said.known_by))
    return proposed


def rows(found: Sequence[BrowsedTag]) -> list[dict[str, Any]]:
    """One row a variable of the server, for people: what it is, and what we would take it for."""
    taken = {p.value.node: (p.name, p.known_by) for p in propose(found)}
    taken |= {p.setpoint.node: (f"{p.name}.setpoint", p.known_by) for p in propose(found) if p.setpoint}
    return [
        {
            "path": "/".join(item.path),
            "node": item.node,
            "unit": item.facts.unit or "",
            "range": "" if item.facts.low is None else f"{item.facts.low:g} to {item.facts.high:g}",
            "value": "" if item.raw.value is None else str(item.raw.value)[:24],
            "quality": item.raw.status.name.lower(),
            "proposed": taken.get(item.node, ("", ""))[0],
            "known by": taken.get(item.node, ("", ""))[1],
        }
        for item in found
    ]


def remarks(found: Sequence[BrowsedTag]) -> list[dict[str, Any]]:
    """What the linter says of the server's numbers."""
    numbers = [f for f in found if TagKind.NUMBER in f.facts.kinds]
    told = lint([(f.path[-1], f.facts.unit, f.facts.low, f.facts.high) for f in numbers])
    return [{"tag": r.tag, "remark": r.text} for r in told]


def toml(found: Sequence[BrowsedTag], endpoint: str) -> str:
    """The proposal as TOML. What must still be decided by a person is said in comments."""
    proposed = propose(found)
    namespace = Counter(p.value.namespace for p in proposed).most_common(1)
    uri = namespace[0][0] if namespace else ""
    lines = [
        "# Proposed from what the server shows; every line is to be checked by somebody who knows the plant.",
        "# It lacks plant, supervisor, limits and recipe: take these from a file of `neurotwin init`.",
        "",
        "[connection]",
        f"endpoint = {json.dumps(endpoint)}",
        f"namespace = {json.dumps(uri)}",
    ]
    for entry in proposed:
        lines += ["", *_block(entry, uri)]
    return "\n".join(lines) + "\n"


def _block(entry: Proposed, uri: str) -> list[str]:
    facts = entry.value.facts
    why = f"recognised by {entry.known_by}" if entry.known_by else "not recognised: name it, or remove it"
    lines = [f"# {'/'.join(entry.value.path)}: {why}", "[[variable]]", f"name = {json.dumps(entry.name)}"]
    lines.append(f"unit = {json.dumps(facts.unit)}" if facts.unit else '# unit = "?"  the server states none')
    if facts.low is None or facts.high is None:
        lines.append("# low = ?, high = ?  the server states no range")
    else:
        lines += [f"low = {float(facts.low)!r}", f"high = {float(facts.high)!r}"]
    lines += [
        f"role = {json.dumps('manipulated' if entry.setpoint else 'measured')}",
        f"node = {json.dumps(_within(entry.value, uri))}",
    ]
    if entry.setpoint is not None:
        lines.append(f"setpoint = {json.dumps(_within(entry.setpoint, uri))}")
    return lines


def _within(item: BrowsedTag, uri: str) -> str:
    """The tag as it is written where this namespace is the plant's own."""
    prefix = f"nsu={uri};"
    return item.node.removeprefix(prefix).removeprefix("s=") if item.node.startswith(prefix) else item.node


def _own_name(item: BrowsedTag) -> str:
    """A name for a configuration out of the last two parts of a path."""
    raw = "_".join(item.path[-2:]).lower()
    kept = "".join(c if c.isascii() and c.isalnum() else "_" for c in raw).strip("_")
    return kept if kept[:1].isalpha() else f"tag_{kept}"
