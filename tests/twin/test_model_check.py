"""A faulty model is refused in sentences that name function, line and mend, before anything is compiled."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core import event

from controller.processes import find, shipped
from controller.support.user_error import UserError
from twin.check import check
from twin.engine import TwinEngine
from twin.integrate import kernels
from twin.model import Input, Model, Multiplier, Output, Parameter, State, Vector, fmax, parameter_values
from twin.numeric import numeric
from twin.signals import Plant, Role, Variable


def _uptake(x: Vector, p: Vector) -> Any:
    return p.q_max * fmax(x.substrate, 0.0) / (p.Ks + x.substrate) * x.biomass


def rhs(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    eaten = _uptake(x, p)
    thinned = u.feed / x.volume
    return m.growth * p.Y * eaten - thinned * x.biomass, thinned * (p.sf - x.substrate) - eaten, u.feed


def observe(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return (x.biomass,)


def objective(x: Vector) -> Any:
    return x.biomass * x.volume


MODEL = Model(
    name="yeast",
    states=(
        State("biomass", "g/L", 1.0, 0.1, 0.01),
        State("substrate", "g/L", 10.0, 1.0, 0.01),
        State("volume", "L", 5.0, 0.1, 0.01),
    ),
    multipliers=(Multiplier("growth", 0.1, 0.01, 1.0),),
    inputs=(Input("feed", "L/h", 0.1),),
    outputs=(Output("biomass", "g/L", 0.1),),
    parameters=(
        Parameter("q_max", 0.8, "g/(g.h)", "made up"),
        Parameter("Ks", 0.1, "g/L", "made up"),
        Parameter("Y", 0.5, "g/g", "made up"),
        Parameter("sf", 400.0, "g/L", "made up"),
    ),
    rhs=rhs,
    observe=observe,
    objective=objective,
    objective_name="biomass",
    objective_unit="g",
)


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """Within a second, and numba has compiled nothing."""
    began = time.process_time()
    with event.install_recorder("numba:compile") as recorder:
        yield
    assert time.process_time() - began < 1.0
    assert not recorder.buffer


def line_of(function: Any, beyond: int) -> str:
    return f"{function.__name__} (test_model_check.py, line {function.__code__.co_firstlineno + beyond})"


def test_a_good_model_has_no_findings_and_is_then_compiled() -> None:
    assert check(MODEL) == ()
    with event.install_recorder("numba:compile") as recorder:
        assert numeric(MODEL).objective((2.0, 0.0, 5.0)) == 10.0
    assert recorder.buffer  # what the other tests look at does see the compiler


@pytest.mark.parametrize("name", shipped())
def test_the_order_of_the_parameters_changes_nothing(name: str) -> None:
    model = find(name).model()
    turned = replace(model, parameters=model.parameters[::-1])
    assert check(turned) == ()
    rng = np.random.default_rng(2)
    for _ in range(5):
        x, u = ([max(i.initial, 0.01) * rng.uniform(0.5, 2.0) for i in model.states], [0.01] * len(model.inputs))
        m = (1.0,) * len(model.multipliers)
        rates = [
            numeric(each).rhs(tuple(x), tuple(u), tuple(parameter_values(each).tolist()), m) for each in (model, turned)
        ]
        assert rates[0] == rates[1]
        assert model.rhs(x, u, parameter_values(model), m) == turned.rhs(x, u, parameter_values(turned), m)


def test_models_that_order_their_names_otherwise_share_no_compiled_code() -> None:
    turned = replace(MODEL, parameters=MODEL.parameters[::-1])
    names = [kernels(model)["derive"].py_func.__qualname__ for model in (MODEL, turned, replace(MODEL, name="other"))]
    assert names[0] == names[2] != names[1]


def _short(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return rhs(x, u, p, m)[:2]


def test_a_right_hand_side_that_is_too_short_says_which_states_there_are(uncompiled: None) -> None:
    assert check(replace(MODEL, rhs=_short)) == (
        f"yeast: {line_of(_short, 0)} returns 2 entries for 3 states (biomass, substrate, volume); "
        "return one for each, in this order",
    )


def _branching(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    grown = 0.0
    if x.substrate > 0.1:
        grown = m.growth * p.Y * x.biomass
    return grown, 0.0, u.feed


def test_a_branch_on_a_state_is_told_with_its_line(uncompiled: None) -> None:
    (sentence,) = check(replace(MODEL, rhs=_branching))
    assert sentence.startswith(f"yeast: {line_of(_branching, 2)} branches on a value of the model")
    assert "use fmax" in sentence


def _mistyped(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return p.q_maxx * x.biomass, 0.0, u.feed


def test_a_mistyped_name_is_told_with_the_one_that_was_meant(uncompiled: None) -> None:
    assert check(replace(MODEL, rhs=_mistyped)) == (
        f"yeast: {line_of(_mistyped, 1)} asks for a parameter 'q_maxx' that is not declared; did you mean 'q_max'?",
    )


def _in_a_helper(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return _helped(x), 0.0, u.feed


def _helped(x: Vector) -> Any:
    return 2.0 * x.biomas


def test_a_fault_in_a_function_that_is_called_is_told_where_it_stands(uncompiled: None) -> None:
    (sentence,) = check(replace(MODEL, rhs=_in_a_helper))
    assert sentence.startswith(f"yeast: {line_of(_helped, 1)} asks for a state 'biomas'")


def _logarithmic(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return x.biomass, math.log(x.substrate), u.feed


def _largest(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return max(x.biomass, 0.0), 0.0, u.feed


def _floated(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return float(x.biomass), 0.0, u.feed


def _unsupplied(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return uptakes(x, p), 0.0, u.feed  # noqa: F821 - the fault in question


LIMITS = {"biomass": 80.0}


def _tabled(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return LIMITS["biomass"] - x.biomass, 0.0, u.feed


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (_logarithmic, "reaches into the module math, which no binding can replace"),
        (_largest, "calls max, which decides by a value; use fmax"),
        (_floated, "calls float, which no binding supplies"),
        (_unsupplied, "uses uptakes, which nothing supplies; did you mean '_uptake'?"),
        (_tabled, "uses LIMITS, a dict; outside may stand numbers"),
    ],
)
def test_what_no_binding_can_supply_is_told(uncompiled: None, function: Any, told: str) -> None:
    (sentence,) = check(replace(MODEL, rhs=function))
    assert sentence.startswith(f"yeast: {line_of(function, 1)} {told}")


def _singular(x: Vector, u: Vector, p: Vector, m: Vector) -> tuple[Any, ...]:
    return exp(x.biomass) / (m.growth - 1.0), 0.0, u.feed


def test_what_is_not_finite_at_the_prior_names_its_state(uncompiled: None) -> None:
    (sentence,) = check(replace(MODEL, rhs=_singular))
    assert sentence.startswith(f"yeast: {line_of(_singular, 0)} gives no finite number of biomass at the prior")


def _both(x: Vector) -> Any:
    return x.biomass, x.volume


def test_an_objective_that_is_no_single_number_is_told(uncompiled: None) -> None:
    (sentence,) = check(replace(MODEL, objective=_both))
    assert sentence.startswith(f"yeast: {line_of(_both, 0)} returns more than one number")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"parameters": (*MODEL.parameters, MODEL.parameters[0])}, "the parameter 'q_max' is declared 2 times"),
        ({"multipliers": (Multiplier("biomass", 0.1, 0.1, 1.0),)}, "the state 'biomass' is declared 2 times"),
        ({"inputs": (Input("sugar feed", "L/h", 0.1),)}, "the equations cannot say u.sugar feed"),
        ({"states": (replace(MODEL.states[0], initial=math.nan), *MODEL.states[1:])}, "'biomass' has initial = nan"),
        ({"states": (replace(MODEL.states[0], initial=-1.0), *MODEL.states[1:])}, "begins at -1 and is never below"),
        ({"states": (replace(MODEL.states[0], initial_sd=-1.0), *MODEL.states[1:])}, "initial_sd = -1; give a number"),
        ({"outputs": (Output("biomass", "%", 0.1),)}, "biomass is in g/L and, as output, in %"),
        ({"outputs": (Output("biomass", "g/L", 0.0),)}, "the output 'biomass' is measured without noise"),
    ],
)
def test_what_is_declared_wrongly_is_told(uncompiled: None, changed: dict[str, Any], told: str) -> None:
    assert any(told in sentence for sentence in check(replace(MODEL, **changed)))


def test_all_faults_are_told_at_once_and_nothing_is_bound(uncompiled: None) -> None:
    faulty = replace(MODEL, rhs=_mistyped, objective=_both, outputs=(Output("biomass", "g/L", 0.0),))
    with pytest.raises(ValueError, match=r"q_maxx.*more than one number.*without noise"):
        numeric(faulty)


def test_no_engine_is_made_of_a_faulty_model(uncompiled: None) -> None:
    plant = Plant("R1", "yeast", (Variable("biomass", "g/L", 0.0, 80.0, Role.ASSAYED),))
    with pytest.raises(ValueError, match="did you mean 'q_max'"):
        TwinEngine(plant, replace(MODEL, rhs=_mistyped))


FAULTY = Path(__file__).read_text(encoding="utf-8").split("@pytest.fixture")[0].replace("p.sf", "p.s_f")


def test_a_process_of_ones_own_is_refused_with_the_file_to_mend(tmp_path: Path) -> None:
    """The model above in a folder of its own, with one name mistyped."""
    (tmp_path / "process.toml").write_text(
        'name = "yeast"\ntext = "Yeast"\nvolume = "volume"\nproduct = "biomass"\n'
        '[learning]\nmultipliers = ["growth"]\n[learning.states]\nbiomass = [0.0, 80.0]\n',
        encoding="utf-8",
    )
    (tmp_path / "model.py").write_text(FAULTY, encoding="utf-8")
    with pytest.raises(UserError, match=rf"{tmp_path}/model\.py: yeast: rhs \(model\.py, line .* did you mean 'sf'\?"):
        find(str(tmp_path), trust_code=True).model()


SECOND = """
import sys
sys.path.insert(0, {folder!r})
import yeast_model
from twin import integrate, numeric
integrate.warm_up(yeast_model.MODEL)
stats = [kernel.stats for kernel in numeric._KEPT.values()]
print(sum(sum(s.cache_hits.values()) for s in stats), sum(sum(s.cache_misses.values()) for s in stats))
"""


def test_a_second_process_finds_the_compiled_model_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "yeast_model.py").write_text(FAULTY.replace("p.s_f", "p.sf"), encoding="utf-8")
    command = [sys.executable, "-c", SECOND.format(folder=str(tmp_path))]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert int(runs[0][1]) > 0
    assert int(runs[1][0]) > 0
    assert int(runs[1][1]) == 0
