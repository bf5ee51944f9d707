"""Words for a wrong name: the nearest valid one, or all of them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def instead(given: str, known: Iterable[str]) -> str:
    """How to mend a name: the nearest valid one, or all of them."""
    names = sorted(known)
    near = get_close_matches(given, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; valid are {', '.join(names)}" if names else "; remove it"
