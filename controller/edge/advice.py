"""Suggestion log of a batch: what was suggested, how it was answered, and what followed beside the forecasts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from controller.loop.records import Decision, Suggestion
from twin.model import Model
from twin.records import Estimate, Forecast

KEPT = 200  # suggestions; a batch brings a few dozen (design)
ANSWERS = {"accept": "accepted", "modify": "modified", "reject": "rejected", "propose": "by hand"}


@dataclass(frozen=True, slots=True)
class Past:
    """One suggestion: its forecasts of when it was made, and the answer that it got."""

    suggestion: Suggestion
    baseline: Forecast | None
    proposed: Forecast | None
    status: str  # "open", "accepted", "modified", "by hand", "rejected", "in force by auto", "not answered", "refused"
    by: str = ""
    given: str = ""  # the reason that this person gave
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """The objective at one instant: as forecast with and without the suggestion, and as the twin estimates it."""

    at: datetime
    without: float
    predicted: float
    actual: float


@dataclass(slots=True)
class AdviceLog:
    """The suggestions of one batch, oldest first, by their ids."""

    _past: dict[str, Past] = field(default_factory=dict)
    _batch: str = ""

    def follow(self, decision: Decision) -> None:
        """Take in one turn."""
        if decision.situation.batch != self._batch:
            self._past, self._batch = {}, decision.situation.batch
        proposal = decision.proposal
        if isinstance(proposal, Suggestion) and proposal.id not in self._past:
            became = _at_once(decision)
            at = None if became == "open" else decision.time
            self._past[proposal.id] = Past(proposal, decision.baseline, decision.proposed, became, at=at)
            while len(self._past) > KEPT:
                self._past.pop(next(iter(self._past)))
        self._answers(decision)
        current = proposal.id if isinstance(proposal, Suggestion) and decision.open else ""
        for key, past in self._past.items():
            if past.status == "open" and key != current:
                auto = decision.command is not None and decision.command.id == key
                self._past[key] = replace(past, status="in force by auto" if auto else "not answered", at=decision.time)

    def replay(self, decisions: Iterable[Decision]) -> None:
        """Take in what was recorded before a restart."""
        for decision in decisions:
            self.follow(decision)

    def _answers(self, decision: Decision) -> None:
        for ruling in decision.rulings:
            asked = ruling.intent
            if not ruling.granted or asked.kind not in ANSWERS:
                continue
            command = decision.command
            own = command.id if asked.kind == "propose" and command is not None else asked.suggestion
            for key in (own, f"{own}M") if asked.kind == "modify" else (own,):
                if key in self._past:
                    self._past[key] = replace(
                        self._past[key], status=ANSWERS[asked.kind], by=asked.by, given=asked.reason, at=decision.time
                    )

    def past(self) -> Sequence[Past]:
        """All of them, the newest first."""
        return tuple(reversed(self._past.values()))


def _at_once(decision: Decision) -> str:
    """What became of a suggestion in the turn that made it."""
    if decision.open:
        return "open"
    made, command = decision.proposal, decision.command
    if isinstance(made, Suggestion) and command is not None and command.id == made.id:
        return "in force by auto"
    # Below ADVISORY nobody is asked, which is no refusal.
    return "not answered" if decision.verdict is not None and decision.verdict.admitted else "refused"


def followed(past: Past, now: Estimate, model: Model) -> Followed | None:
    """What has come of it by now; None before the first point of its forecasts and without them."""
    if past.baseline is None or past.proposed is None or now.time <= past.proposed.made_at:
        return None
    if now.time > past.proposed.times[-1]:
        return None
    without, predicted = (_objective(f, now.time, model) for f in (past.baseline, past.proposed))
    return Followed(now.time, without, predicted, float(model.objective(tuple(now[s.name] for s in model.states))))


def _objective(forecast: Forecast, at: datetime, model: Model) -> float:
    """The objective of the median states, linearly between two forecast times."""
    after = min(max(bisect_right(forecast.times, at), 1), len(forecast.times) - 1)
    first, last = forecast.times[after - 1], forecast.times[after]
    share = (at - first) / (last - first) if last > first else 1.0
    medians = [forecast.bands[state.name].median for state in model.states]
    states = tuple((1 - share) * values[after - 1] + share * values[after] for values in medians)
    return float(model.objective(states))
