"""Model validation: what is wrong with a model's names, numbers, units and equations, and how to mend it.

Equations are read and traced with CasADi's symbols, never compiled, so that the answer takes a fraction of a second.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from keyword import iskeyword
from typing import Any

from twin.check_equations import KINDS, faults
from twin.model import Model, Parameter


@functools.cache
def check(model: Model) -> tuple[str, ...]:
    """What is wrong with a model, one sentence each; nothing when it can be used."""
    names = tuple(_names(model))
    found = names or tuple(faults(model))  # the equations can only be read once the names can be used
    return tuple(f"{model.name}: {sentence}" for sentence in (*found, *_numbers(model), *_units(model)))


def sound(model: Model) -> Model:
    """The model itself; ValueError says all that is wrong with it."""
    if found := check(model):
        raise ValueError("; ".join(found))
    return model


def _names(model: Model) -> Iterator[str]:
    for key, items in model.vectors.items():
        for name in (item.name for item in items):
            if not name.isidentifier() or iskeyword(name) or name.startswith("_"):
                yield (
                    f"the equations cannot say {key}.{name}; call this {KINDS[key]} by letters, digits and underscores"
                )
    shared = (model.states + model.multipliers, model.inputs, model.parameters, model.outputs)
    for items in shared:  # states and multipliers are estimated together, by name
        for name, count in Counter(item.name for item in items).items():
            if count > 1:
                of = type(next(item for item in items if item.name == name)).__name__.lower()
                yield f"the {of} {name!r} is declared {count} times; rename or remove one"


def _numbers(model: Model) -> Iterator[str]:
    for item in _declared(model):
        of = f"{type(item).__name__.lower()} {item.name!r}"
        for name, value in ((f.name, getattr(item, f.name)) for f in fields(item)):
            if not isinstance(value, float):
                continue
            lost = math.isnan(value) if isinstance(item, Parameter) else not math.isfinite(value)
            if lost:  # an infinite parameter switches a term off
                yield f"the {of} has {name} = {value}; give a finite number"
            elif value < 0.0 and ("sd" in name or name == "bound"):
                yield f"the {of} has {name} = {value:g}; give a number that is not negative"
    for state in model.states:
        if state.positive and state.initial < 0.0:
            yield f"the state {state.name!r} begins at {state.initial:g} and is never below zero; say positive=False"
    for output in model.outputs:
        if not (output.sd_absolute or output.sd_relative):
            yield f"the output {output.name!r} is measured without noise; give sd_absolute or sd_relative"


def _units(model: Model) -> Iterator[str]:
    """Whatever bears one name is one quantity, as a state and the assay of it."""
    units: dict[str, str] = {}
    items: tuple[Any, ...] = (*model.states, *model.inputs, *model.outputs)
    for item in items:
        unit = units.setdefault(item.name, item.unit)
        if unit != item.unit:
            yield (
                f"{item.name} is in {unit or 'no unit'} and, as {type(item).__name__.lower()}, in "
                f"{item.unit or 'no unit'}; convert one, or rename it"
            )


def _declared(model: Model) -> tuple[Any, ...]:
    return sum(model.vectors.values(), ()) + model.outputs
