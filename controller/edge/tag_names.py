"""Tag naming: what ISA-5.1, LADS and vendors' own words say of a variable, and what is wrong with a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# ISA-5.1: [unit-]letters-loop[suffix]; the first letter is the measured variable.
ISA = re.compile(r"^(?:[A-Z]{1,3}\d{1,4}[-_.])?(?P<letters>[A-Z]{2,5})-?(?P<loop>\d{2,5})(?P<suffix>[A-Z]?)$")
FIRST = {
    "F": "flow",
    "J": "power",
    "L": "level",
    "P": "pressure",
    "S": "agitation",
    "T": "temperature",
    "W": "weight",
}
ANALYSED = {"pH": "ph", "%": "dissolved_oxygen", "g/L": "concentration", "g/(L.h)": "uptake_rate"}
VALUE = ("PV", "VALUE", "CURRENTVALUE", "SENSORVALUE", "ACTUALVALUE", "RAWVALUE", "MEAS")
SETPOINT = ("SP", "SETPOINT", "TARGETVALUE", "TARGET", "RSP")
# What vendors and LADS functional units call things; the first that fits counts.
WORDS = (
    (r"\bp?o2\b|\bdo\b|dissolved.?oxygen|oxygen.?saturation", "dissolved_oxygen"),
    (r"\bph\b", "ph"),
    (r"temp", "temperature"),
    (r"agit|stir|\brpm\b|impeller", "agitation"),
    (r"weight|\bmass\b|balance", "weight"),
    (r"pressure|\bpress\b", "pressure"),
    (r"antifoam|foam", "antifoam"),
    (r"\bbase\b|alkali|naoh|nh3|ammonia", "base_flow"),
    (r"\bacid\b|h2so4|\bhcl\b", "acid_flow"),
    (r"feed|substrate|glucose", "feed"),
    (r"\bair\b|aeration|sparge", "air_flow"),
    (r"\bco2\b|carbon.?dioxide|\bcer\b", "carbon_dioxide"),
    (r"oxygen.?uptake|\bour\b", "oxygen_uptake_rate"),
    (r"\bo2\b|oxygen", "oxygen_flow"),
    (r"optical.?density|\bod\d*\b|turbidity", "optical_density"),
    (r"level|volume", "level"),
    (r"power", "power"),
    (r"flow", "flow"),
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name says: the loop it belongs to, whether value or setpoint, which quantity, and how that is known."""

    loop: str
    setpoint: bool
    quantity: str  # "": not known
    known_by: str  # "ISA-5.1", "LADS", "its name", or ""


def meaning(path: Sequence[str], unit: str) -> Meaning | None:
    """What the browse path of a number says; None for one that is neither a value nor a setpoint of anything."""
    *above, last = path
    head, _, tail = last.rpartition(".")
    part = (tail if head else last).upper()
    if head and part in (*VALUE, *SETPOINT):
        base = head
    elif not head and part in (*VALUE, *SETPOINT) and above:
        base = above[-1]
    elif head:
        return None  # another part of a loop: its mode, its limits, its tuning
    else:
        base = last
    lads = "FunctionSet" in above
    quantity, known_by = _quantity(base, unit, lads)
    loop = "/".join((*above[:-1], base) if base in above[-1:] else (*above, base))
    return Meaning(loop, part in SETPOINT, quantity, known_by)


def _quantity(base: str, unit: str, lads: bool) -> tuple[str, str]:
    isa = ISA.match(base)
    if isa and isa["letters"][0] == "A" and unit in ANALYSED:
        return ANALYSED[unit], "ISA-5.1"
    if isa and isa["letters"][0] in FIRST:
        return FIRST[isa["letters"][0]], "ISA-5.1"
    spaced = re.sub(r"(?<=[a-z]{2})(?=[A-Z])|[_\-.]", " ", base).lower()
    for pattern, quantity in WORDS:
        if re.search(pattern, spaced):
            return quantity, "LADS" if lads else "its name"
    return "", ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is wrong with one tag, and what to do."""

    tag: str
    text: str


def lint(tags: Sequence[tuple[str, str | None, float | None, float | None]]) -> list[Remark]:
    """Remarks on tags given as (name, unit, low, high): names, duplicates, missing units and ranges."""
    found = []
    times = Counter(name.upper() for name, *_ in tags)
    for name, unit, low, high in tags:
        base = name.rpartition(".")[0] or name
        if not ISA.match(base):
            found.append(Remark(name, "is no ISA-5.1 name, such as BR101-TIC101.PV or AIC102.PV"))
        if times[name.upper()] > 1:
            found.append(Remark(name, f"is the name of {times[name.upper()]} tags; give each its own"))
        if not unit:
            found.append(Remark(name, "states no unit; give it EngineeringUnits at the server"))
        if low is None or high is None:
            found.append(Remark(name, "states no range; give it an EURange at the server"))
        elif not low < high:
            found.append(Remark(name, f"ranges over {low:g} to {high:g}, which is no range"))
    return found
