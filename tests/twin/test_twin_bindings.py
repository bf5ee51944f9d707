"""One definition of a model, two bindings."""

from __future__ import annotations

import math
from dataclasses import replace

import casadi
import numpy as np
import pytest

from controller.processes import find, shipped
from controller.processes.penicillin.model import MODEL
from twin import elementary
from twin.model import Model, parameter_values
from twin.numeric import compiled, numeric
from twin.symbolic import symbolic

FREE_NAMES = ("exp", "log", "sqrt", "tanh", "fmax")


def _models() -> list[Model]:
    return [find(name).model() for name in shipped()]


def test_there_are_models_to_hold_equal():
    assert {"penicillin"} <= {model.name for model in _models()}


@pytest.mark.parametrize("model", _models(), ids=lambda m: m.name)
def test_numba_and_casadi_agree_on_random_points(model):
    rng = np.random.default_rng(7)
    p = parameter_values(model)
    fast, slow = numeric(model), symbolic(model)
    for _ in range(200):
        x = np.array([s.initial + (abs(s.initial) + s.initial_sd) * rng.uniform(-1.2, 3.0) for s in model.states])
        x[: len(x)] = [max(v, 0.05) if s.name == "volume" else v for s, v in zip(model.states, x, strict=True)]
        u = np.array([i.nominal * rng.uniform(0.3, 2.0) + 1e-3 * rng.uniform() for i in model.inputs])
        m = np.exp(0.5 * rng.standard_normal(len(model.multipliers)))
        arguments = tuple(tuple(map(float, v)) for v in (x, u, p, m))
        for name in ("rhs", "observe"):
            value = np.array(getattr(fast, name)(*arguments))
            expected = np.array(getattr(slow, name)(x, u, p, m)).ravel()
            assert np.isfinite(value).all()
            np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)
        assert fast.objective(arguments[0]) == pytest.approx(float(slow.objective(x)), rel=1e-9, abs=1e-9)
        if slow.jump is not None:
            jumped = np.array(slow.jump(x, u)).ravel()
            np.testing.assert_allclose(fast.jump(*arguments[:2]), jumped, rtol=1e-9, atol=1e-9)


def test_a_model_can_also_be_called_in_plain_python():
    x, u = tuple(s.initial for s in MODEL.states), tuple(i.nominal for i in MODEL.inputs)
    p, m = tuple(parameter_values(MODEL).tolist()), (1.0,) * len(MODEL.multipliers)
    np.testing.assert_allclose(MODEL.rhs(x, u, p, m), numeric(MODEL).rhs(x, u, p, m), rtol=1e-12)


def test_a_models_shape_is_what_it_declares():
    for model in _models():
        sizes = (len(model.states), len(model.inputs), len(model.parameters), len(model.multipliers))
        arguments = [(0.5,) * n for n in sizes]
        assert len(model.rhs(*arguments)) == len(model.states)
        assert len(model.observe(*arguments)) == len(model.outputs)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("exp", np.linspace(-700.0, 700.0, 20_001)),
        ("log", np.exp(np.linspace(-600.0, 600.0, 20_001))),
        ("tanh", np.linspace(-40.0, 40.0, 20_001)),
    ],
)
def test_elementary_functions_are_those_of_the_library(name, points):
    ours = np.array([getattr(elementary, name)(x) for x in points])
    np.testing.assert_allclose(ours, getattr(np, name)(points), rtol=2e-14, atol=1e-15)


def test_elementary_functions_show_what_is_not_a_number():
    assert all(math.isnan(getattr(elementary, name)(math.nan)) for name in ("exp", "log", "sqrt", "tanh"))
    assert math.isnan(elementary.log(-1.0))
    assert elementary.log(0.0) == -math.inf
    assert elementary.exp(-1e9) < 1e-300


def _twice(x):
    return 2.0 * _scaled(x)


def _scaled(x):
    return factor * x


factor = 1.0


def test_code_on_disk_is_told_apart_by_all_that_it_reaches():
    names = [compiled(_twice, _scaled=compiled(_scaled, factor=f)).py_func.__qualname__ for f in (3.0, 4.0, 3.0)]
    assert names[0] == names[2] != names[1]
    assert compiled(_twice, _scaled=compiled(_scaled, factor=3.0))(1.0) == 6.0


def test_casadi_gives_derivatives_of_the_same_equations():
    functions = symbolic(MODEL)
    x = casadi.SX.sym("x", len(MODEL.states))
    u = [i.nominal for i in MODEL.inputs]
    rates = functions.rhs(x, u, parameter_values(MODEL), [1.0] * len(MODEL.multipliers))
    slope = casadi.Function("slope", [x], [casadi.jacobian(rates, x)])
    start = np.array([s.initial for s in MODEL.states])
    step = 1e-6 * np.maximum(start, 1e-3)
    fast = numeric(replace(MODEL)).rhs
    p, m = tuple(parameter_values(MODEL).tolist()), (1.0,) * len(MODEL.multipliers)
    for i, h in enumerate(step):
        up, down = start.copy(), start.copy()
        up[i] += h
        down[i] -= h
        found = (np.array(fast(tuple(up), tuple(u), p, m)) - np.array(fast(tuple(down), tuple(u), p, m))) / (2 * h)
        np.testing.assert_allclose(found, np.array(slope(start))[:, i], rtol=1e-4, atol=1e-4)
