"""The one table of codes: what each thing is called in LOINC, SNOMED CT, RxNorm or here, its unit, and who says so.

Every row names where its code was found. `to_verify` rows must be checked by a person in the official browser
before anybody relies on them; nothing in this program can do that.
"""

from __future__ import annotations

from dataclasses import dataclass

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
LOCAL = "urn:neurotwin:codes"  # what has no code that we know of
SHORT = {LOINC: "LOINC", SNOMED: "SNOMED CT", RXNORM: "RxNorm", LOCAL: "local"}

_US_CORE = "US Core, vital signs profiles"
_NONE_FOUND = "design: no single standard code was found"
_OURS = "design"


@dataclass(frozen=True, slots=True)
class Code:
    """One code of one item; the first row of an item is the one that is written, all of them are read."""

    item: str  # a channel, a drug, or something that we say
    text: str
    system: str
    code: str
    ucum: str  # unit, "" where there is none
    source: str
    to_verify: bool = False


CODES: tuple[Code, ...] = (
    Code("stress", "Stress, 1 to 10", LOCAL, "stress-1-10", "{score}", _NONE_FOUND, True),
    Code("stress", "Stress", SNOMED, "73595000", "{score}", "SNOMED CT", True),
    Code("sleep", "Sleep duration", LOINC, "93832-4", "h", "LOINC"),
    Code("sleep", "Sleep duration", SNOMED, "258158006", "h", "SNOMED CT"),
    Code("mood", "Mood, 1 to 10", LOCAL, "mood-1-10", "{score}", _NONE_FOUND, True),
    Code("mood", "Mood", SNOMED, "106131003", "{score}", "SNOMED CT", True),
    Code("heart_rate", "Heart rate", LOINC, "8867-4", "/min", _US_CORE),
    Code("spo2", "Oxygen saturation by pulse oximetry", LOINC, "59408-5", "%", _US_CORE),
    Code("spo2", "Oxygen saturation", LOINC, "2708-6", "%", _US_CORE),
    Code("temperature", "Body temperature", LOINC, "8310-5", "Cel", _US_CORE),
    Code("steps", "Number of steps", LOINC, "55423-8", "{steps}", "LOINC"),
    Code("heart_rate_variability", "R-R interval standard deviation", LOINC, "80404-7", "ms", "LOINC"),
    Code("phq9", "PHQ-9 total score", LOINC, "44261-6", "{score}", "LOINC"),
    Code("gad7", "GAD-7 total score", LOINC, "70274-6", "{score}", "LOINC"),
    Code("qtc", "QTc interval", LOINC, "8636-3", "ms", "LOINC", True),
    Code("level", "Drug concentration in plasma", LOCAL, "drug-level", "ng/mL", _NONE_FOUND, True),
    Code("escitalopram", "Escitalopram", RXNORM, "321988", "mg", "RxNorm; 352741 is a brand", True),
    Code("citalopram", "Citalopram", RXNORM, "2556", "mg", "RxNorm", True),
    Code("sertraline", "Sertraline", RXNORM, "36437", "mg", "RxNorm", True),
    Code("paroxetine", "Paroxetine", RXNORM, "32937", "mg", "RxNorm", True),
    Code("fluoxetine", "Fluoxetine", RXNORM, "4493", "mg", "RxNorm; not 41493", True),
    Code("venlafaxine", "Venlafaxine", RXNORM, "39786", "mg", "RxNorm", True),
    Code("duloxetine", "Duloxetine", RXNORM, "72625", "mg", "RxNorm", True),
    Code("bupropion", "Bupropion", RXNORM, "42347", "mg", "RxNorm", True),
    Code("mirtazapine", "Mirtazapine", RXNORM, "15996", "mg", "RxNorm", True),
    Code("lamotrigine", "Lamotrigine", RXNORM, "28439", "mg", "RxNorm", True),
    Code("levetiracetam", "Levetiracetam", RXNORM, "114477", "mg", "RxNorm", True),
    Code("stability", "Stability score, 0 to 1", LOCAL, "stability-score", "1", _OURS),
    Code("D", "Distance from target", LOCAL, "stability-distance", "1", _OURS),
    Code("V", "Swing from sample to sample", LOCAL, "stability-swing", "1", _OURS),
    Code("N", "Novelty", LOCAL, "stability-novelty", "1", _OURS),
    Code("A", "Adverse step", LOCAL, "stability-adverse", "1", _OURS),
    Code("unchecked", "Part of the record that was not checked", LOCAL, "unchecked", "", _OURS),
    Code("review", "Review of a treatment suggested", LOCAL, "review", "", _OURS),
)
DRUGS = tuple(c.item for c in CODES if c.system == RXNORM)

_BY_CODE = {(c.system, c.code): c for c in CODES}
_BY_ITEM = {c.item: c for c in reversed(CODES)}  # the first row of an item stays


def code_of(item: str) -> Code:
    """The code that is written for an item."""
    return _BY_ITEM[item]


def item_of(system: str | None, code: str | None) -> str | None:
    """The item that a code means, if it is in the table."""
    found = _BY_CODE.get((system or "", code or ""))
    return None if found is None else found.item


def markdown() -> str:
    """The table for the documentation."""
    lines = ["| Item | Text | System | Code | Unit (UCUM) | Source | Status |", "|---|---|---|---|---|---|---|"]
    for c in CODES:
        status = "**to be verified by a person**" if c.to_verify else "as the source says"
        unit = f"`{c.ucum}`" if c.ucum else ""
        lines.append(f"| {c.item} | {c.text} | {SHORT[c.system]} | `{c.code}` | {unit} | {c.source} | {status} |")
    return "\n".join(lines)
