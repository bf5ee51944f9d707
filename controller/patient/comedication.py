"""Comedication: another drug and when it is taken, since an interaction does not last for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# Days in which a drug that was stopped still interacts, by its label: irreversible inhibitors of MAO two weeks,
# fluoxetine with norfluoxetine five; pimozide five half-lives of 55 h. Of any other drug a day (design).
LASTS_DAYS = {
    **dict.fromkeys(("phenelzine", "tranylcypromine", "isocarboxazid", "selegiline", "rasagiline"), 14.0),
    "fluoxetine": 35.0,
    "pimozide": 12.0,
}


def lasts_days(name: str) -> float:
    """How long the interactions of a drug outlast it."""
    return LASTS_DAYS.get(name, 1.0)


@dataclass(frozen=True, slots=True)
class Comedication:
    """Another drug, by its international name where that is known."""

    name: str
    start: datetime | None = None  # None: since before anything is known
    until: datetime | None = None  # None: still taken
    sure: bool = True  # False: perhaps taken, such as an order that is on hold

    def acts(self, at: datetime) -> bool:
        """It is taken at this time, or its interactions outlast it so far."""
        return self.acts_between(at, at)

    def acts_between(self, first: datetime, last: datetime) -> bool:
        """The same of some time between the two."""
        begun = self.start is None or self.start <= last
        return begun and (self.until is None or first < self.until + timedelta(days=lasts_days(self.name)))

    def moved(self, by: timedelta) -> Comedication:
        """The same on a clock that shows something else."""
        start, until = (None if time is None else time + by for time in (self.start, self.until))
        return replace(self, start=start, until=until)
