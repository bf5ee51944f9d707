"""Process: all that tells one process from another, read from its folder; nothing outside a folder names a process.

| file in the folder | holds | read when |
|---|---|---|
| process.toml | name, what NeuroCore learns over which states, priors of a fit, the recipe's latch | always |
| plant.toml, alarms.toml, fitted.toml | the configuration that `neurotwin init` copies | a plant of it is configured |
| model.py | MODEL, the twin's equations | estimates or forecasts are wanted |
| plant.py | DESIGN, the simulated plant | a plant is simulated |
| truth.py | TRUTH, that plant's own equations as the oracle takes them | an oracle is asked |
| study.py | STUDY, what is true in that plant, for benches to judge by | learners, filters or alarms are judged |

A folder without plant.py serves real plants only; one without truth.py has no oracle, and one without study.py no
benches that judge by it.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from controller.support.user_error import UserError
from controller.support.words import instead
from twin.records import Latch, Prior

if TYPE_CHECKING:
    from controller.processes.study import Study
    from controller.processes.truth import Truth
    from plant_sim.design import PlantDesign
    from twin.model import Model

DECLARED = "process.toml"
STRICT = ConfigDict(extra="forbid")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Process:
    """One process, as its folder declares it; the code beside it is imported only when it is asked for."""

    name: str
    text: str  # for people
    folder: Path
    reference: bool  # the one that is shown where nobody names one
    volume: str  # the state that is the broth's volume
    product: str  # the state that a batch is for
    learned: tuple[str, ...]  # the multipliers whose dependence on the state is learned
    coded: Mapping[str, tuple[float, float]]  # the states that they depend on, and where they are coded
    sloped: tuple[str, ...]  # of the coded states, those by which a plan knows the multipliers to change
    latch: Latch | None  # of the plant's own recipe, which forecasts must know
    priors: tuple[Prior, ...]  # of a fit
    judged: Mapping[str, str]  # states that a demonstration compares with the truth, by what it calls them
    shown: tuple[str, ...]  # variables and states that displays show first
    package: str  # under which the folder's modules are imported
    trusted: bool  # whether its code may run here

    @property
    def key(self) -> str:
        """What finds it again from anywhere: the name of one that ships, the folder of one's own."""
        return self.name if self.package.startswith(__name__.rpartition(".")[0]) else str(self.folder)

    @property
    def configuration(self) -> Path:
        """The configuration of the plant that ships with the process; UserError where there is none."""
        path = self.folder / "plant.toml"
        if not path.is_file():
            raise UserError(f"{self.folder}: holds no plant.toml, so there is no configuration to start from; add one")
        return path

    def content(self) -> dict[str, Any]:
        """That configuration as plain data, to be changed and written elsewhere: what it reads is named by its path."""
        content = tomllib.loads(self.configuration.read_text(encoding="utf-8"))
        content["plant"] |= {"process": self.key, "trust_code": self.trusted and self.key != self.name}
        for table, key in (("model", "parameters"), ("alarms", "file")):
            if beside := content.get(table, {}).get(key):
                content[table][key] = str(self.folder / beside)
        return content

    def model(self) -> Model:
        """The twin's equations; UserError says all that is wrong with them."""
        from twin.check import check  # and CasADi with it, for which nobody waits who asks for no model

        model: Model = self._given("model", "MODEL", "its equations")
        if found := check(model):
            raise UserError(f"{self.folder / 'model.py'}: {'; '.join(found)}")
        return model

    def design(self) -> PlantDesign:
        """The simulated plant; UserError where the process has none."""
        design: PlantDesign = self._given("plant", "DESIGN", "a simulated plant")
        return design

    def truth(self) -> Truth:
        """The simulated plant's own equations, for the oracle; UserError where the process has none."""
        truth: Truth = self._given("truth", "TRUTH", "an oracle")
        return truth

    @property
    def studied(self) -> bool:
        """Whether its author says what is true in the simulated plant."""
        return (self.folder / "study.py").is_file()

    def study(self) -> Study:
        """What is true in the simulated plant, for benches to judge by; UserError where nobody says so."""
        study: Study = self._given("study", "STUDY", "a study for this bench to judge by")
        return study

    def _given(self, module: str, name: str, what: str) -> Any:
        path = self.folder / f"{module}.py"
        if not path.is_file():
            raise UserError(f"process {self.name!r} lacks {what}: {path} is missing")
        found = getattr(self._imported(path), name, None)
        if found is None:
            raise UserError(f"{path}: defines no {name}, which is {what}; name it so")
        return found

    def _imported(self, path: Path) -> ModuleType:
        if not self.trusted:
            raise UserError(
                f"{path} is code that would run inside NeuroTwin; if you trust its author, say so with "
                "trust_code = true in [plant], or --trust-code"
            )
        try:
            return importlib.import_module(f"{self.package}.{path.stem}")
        except Exception as fault:
            raise UserError(f"{path}: cannot be imported: {type(fault).__name__}: {fault}") from fault


@checked(frozen=True, config=STRICT)
class _Latch:
    input: Name
    state: Name
    below: Number


@checked(frozen=True, config=STRICT)
class _Learning:
    multipliers: tuple[Name, ...]
    states: dict[Name, tuple[Number, Number]]
    slopes: tuple[Name, ...] = ()


@checked(frozen=True, config=STRICT)
class _Prior:
    parameter: str
    sd: Positive
    source: str


@checked(frozen=True, config=STRICT)
class _Declaration:
    name: Name
    text: str
    volume: Name
    product: Name
    learning: _Learning
    reference: bool = False
    latch: _Latch | None = None
    prior: tuple[_Prior, ...] = ()
    judged: dict[Name, Name] = Field(default_factory=dict)
    shown: tuple[Name, ...] = ()


_TABLES: dict[str, type] = {"learning": _Learning, "latch": _Latch, "prior": _Prior}


def declared(folder: Path, package: str, trusted: bool) -> Process:
    """The process of this folder; UserError says in one sentence why it cannot be used."""
    path = folder / DECLARED
    given = _read(path)
    return Process(
        name=given.name,
        text=given.text,
        folder=folder,
        reference=given.reference,
        volume=given.volume,
        product=given.product,
        learned=given.learning.multipliers,
        coded=given.learning.states,
        sloped=given.learning.slopes,
        latch=None if given.latch is None else Latch(given.latch.input, given.latch.state, given.latch.below),
        priors=tuple(Prior(entry.parameter, entry.sd) for entry in given.prior),
        judged=given.judged,
        shown=given.shown or (given.product,),
        package=package,
        trusted=trusted,
    )


def _read(path: Path) -> _Declaration:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({(fault.strerror or 'unknown error').lower()})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise UserError(f"{path}: is not a TOML file: {fault}") from None
    try:
        given: _Declaration = TypeAdapter(_Declaration).validate_python(content)
    except ValidationError as fault:
        raise UserError(f"{path}: {_sentence(fault)}") from None
    for name in given.learning.slopes:
        if name not in given.learning.states:
            raise UserError(f"{path}: [learning] slopes names {name!r}{instead(name, given.learning.states)}")
    return given


def _sentence(fault: ValidationError) -> str:
    """The first fault in words; a misspelt key comes before the missing key that it should have been."""
    errors = fault.errors(include_url=False)
    first = next((e for e in errors if e["type"] == "unexpected_keyword_argument"), errors[0])
    where = ".".join(str(part) for part in first["loc"])
    table, _, key = where.rpartition(".")
    if first["type"] == "unexpected_keyword_argument":
        known = tuple(getattr(_TABLES.get(table.partition(".")[0], _Declaration), "__dataclass_fields__", ()))
        return f"{f'[{table}]' if table else 'the file'} has an unknown key {key!r}{instead(key, known)}"
    if first["type"] == "missing":
        return f"{f'[{table}]' if table else 'the file'} lacks the key {key!r}; add it"
    message = first["msg"]
    return f"{where}: {message[0].lower()}{message[1:]}, and it is {first['input']!r}"
