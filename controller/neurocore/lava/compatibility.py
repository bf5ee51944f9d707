"""Lava 0.10 declares three dataclasses that Python 3.11 refuses; they are mended while that module is imported.

`lava.magma.compiler.var_model` gives CoreEncoder, ChipEncoder and AxonEncoder fields with the default `ByteEncoder()`.
Since Python 3.11 a default that cannot be hashed is refused with "mutable default ... use default_factory". During
this one import such a default becomes a factory; afterwards `dataclasses` is what it was.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MODULE = "lava.magma.compiler.var_model"


def load_lava() -> None:
    """Import the module that needs mending, so that everything else of Lava can be imported as usual."""
    with _mutable_defaults_allowed():
        importlib.import_module(MODULE)


@contextmanager
def _mutable_defaults_allowed() -> Iterator[None]:
    original = dataclasses.dataclass
    dataclasses.dataclass = _mending(original)
    try:
        yield
    finally:
        dataclasses.dataclass = original


def _mending(original: Callable[..., Any]) -> Callable[..., Any]:
    """The decorator `dataclass`, which first turns the defaults that it would refuse into factories."""

    @functools.wraps(original)
    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        def decorate(kind: type) -> Any:
            if kind.__module__ == MODULE:
                _mend(kind)
            return original(kind, **options)

        return decorate if cls is None else decorate(cls)

    return dataclass


def _mend(cls: type) -> None:
    for name in inspect.get_annotations(cls):
        default = cls.__dict__.get(name)
        refused = type(default).__hash__ is None and dataclasses.is_dataclass(default)
        if refused:
            setattr(cls, name, dataclasses.field(default_factory=functools.partial(copy.copy, default)))
