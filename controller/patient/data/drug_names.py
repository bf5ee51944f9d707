"""Names of drugs in a record: by code of RxNorm or ATC, or by their international name wherever it is written.

A drug that is not found here is passed on by the words that the record has for it: its interactions are not checked,
and every advice says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.patient.advice import guidelines
from controller.patient.data.codes import DRUGS, item_of

ATC = "http://www.whocc.no/atc"
# WHO's ATC index, of what must not be combined with a serotonergic drug.
BY_ATC = {
    "J01XX08": "linezolid", "N06AF01": "isocarboxazid", "N06AF03": "phenelzine", "N06AF04": "tranylcypromine",
    "N06AG02": "moclobemide", "N04BD01": "selegiline", "N04BD02": "rasagiline", "V03AB17": "methylene blue",
    "N05AG02": "pimozide",
}  # fmt: skip
KNOWN = frozenset(DRUGS) | guidelines.FORBIDDEN | guidelines.SEROTONERGIC | guidelines.QT_DRUGS | {
    guidelines.PIMOZIDE, "valproate", *guidelines.CYP2C19_INHIBITORS, *guidelines.ENZYME_INDUCERS,
}  # fmt: skip
# Languages end a name in their own way: linezolide, linezolida, fluoxetin, fluoxetina.
_WORDS = {
    name: re.compile(rf"(?<!\w){re.escape(name.removesuffix('e'))}(?:e|a|o|um|in)?(?!\w)") for name in sorted(KNOWN)
}
_MORE = re.compile(r"[a-z]\s*[/+]\s*[a-z]|[a-z] (?:and|with) [a-z]")  # between two ingredients
_PER = re.compile(r"\b(?:mg|g|ug|mcg|ml)\s*/\s*(?:ml|l|d|day|h|tab\w*|actuat)\b")  # a unit, no two ingredients
_DENIED = re.compile(r"\b(?:no|not|none|never|refused|declined)\b")  # nobody knows what a name is then meant to say


@dataclass(frozen=True, slots=True)
class Named:
    """What a medication is called: the drugs that are known in it, and the words that stand for the rest."""

    known: tuple[str, ...]
    words: str  # as the record says it, "" for nothing at all
    more: bool = False  # something else is, or may be, in it
    nameless: bool = False  # nothing but a code that is not known, or not even that

    @property
    def text(self) -> str:
        """For people."""
        return " and ".join(self.known) or self.words or "a drug without a name"


def named(concepts: Iterable[Mapping[str, Any]], displays: Iterable[str] = ()) -> Named:
    """The drugs of a medication's concepts (of its code, or of its ingredients) and displays of references."""
    codings = [c for concept in concepts for c in [*concept.get("coding", ()), {"display": concept.get("text")}]]
    found = [item for c in codings if (item := _by_code(c.get("system"), c.get("code"))) is not None]
    said = " ".join(dict.fromkeys(str(text) for text in [*(c.get("display") for c in codings), *displays] if text))
    written = [name for name, words in _WORDS.items() if words.search(said.lower())]
    known = () if _DENIED.search(said.lower()) else tuple(dict.fromkeys([*found, *written]))
    more = not known or (len(known) < 2 and bool(_MORE.search(_PER.sub(" ", said.lower()))))
    codes = " ".join(f"code {c['code']}" for c in codings if c.get("code"))
    return Named(known, said or codes, more, nameless=not known and not said)


def _by_code(system: str | None, code: str | None) -> str | None:
    if system == ATC:
        return BY_ATC.get(code or "")
    item = item_of(system, code)
    return item if item in DRUGS else None
