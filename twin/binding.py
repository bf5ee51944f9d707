"""Binding: a copy of a function in which free names stand for a library's own, and with it of all that it calls."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any


def copied(function: Callable[..., Any], names: Mapping[str, Any]) -> FunctionType:
    """A copy with these names in place of its globals; TypeError for what is not a Python function.

    numba keeps the module's name with the machine code and imports it again on loading: it is this one, which every
    process has, and where the function really stands is in the qualified name. Else the code of somebody's folder
    could be loaded by nobody else, not even where the same equations ship.
    """
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function} is not a Python function, so its free names cannot be bound")
    world = function.__globals__ | dict(names) | {"__name__": __name__}
    made = FunctionType(function.__code__, world, function.__name__, function.__defaults__, function.__closure__)
    made.__qualname__ = f"{function.__module__}.{function.__qualname__}"
    return made


def bound(function: Callable[..., Any], names: Mapping[str, Any], wrap: Callable[[Any], Any]) -> Any:
    """The same for all functions that it calls by name, each wrapped; one that numba has compiled is bound anew."""
    copy = copied(function, names)
    for name in spoken(copy.__code__):
        called = python_of(copy.__globals__.get(name))
        if name not in names and isinstance(called, FunctionType) and called.__code__ is not copy.__code__:
            copy.__globals__[name] = bound(called, names, wrap)
    return wrap(copy)


def python_of(item: Any) -> Any:
    """The Python function that numba compiled; anything else as it is."""
    return getattr(item, "py_func", item)


def reached(function: FunctionType, names: Container[str]) -> Iterator[FunctionType]:
    """The function and all that it calls by name, each once, but for those that `names` stand for."""
    seen: set[CodeType] = set()
    waiting = [function]
    while waiting:
        at = waiting.pop()
        if at.__code__ not in seen:
            seen.add(at.__code__)
            yield at
            called = (python_of(at.__globals__.get(name)) for name in spoken(at.__code__) if name not in names)
            waiting += [item for item in called if isinstance(item, FunctionType)]


def spoken(code: CodeType) -> Iterator[str]:
    """The names that the code uses, those in its comprehensions and lambdas included."""
    for part in parts(code):
        yield from part.co_names


def parts(code: CodeType) -> Iterator[CodeType]:
    """The code itself, and that of its comprehensions and lambdas."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from parts(constant)
