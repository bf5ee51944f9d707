"""A configuration file becomes settings, or one sentence that names the file, the place and the mend."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.processes import find
from controller.settings import Settings, SettingsError, load
from controller.support.user_error import UserError
from twin.signals import Role

SHIPPED = find("penicillin")
TEXT = SHIPPED.configuration.read_text(encoding="utf-8").replace("alarms.toml", str(SHIPPED.folder / "alarms.toml"))
ASSIGNMENTS = [i for i, line in enumerate(TEXT.splitlines()) if re.match(r"^[a-z_]+ = [^\[]", line)]
LITERALS = ["true", "-1", "0", "7", "1e400", "nan", "inf", "-inf", '""', '"x"', '"0.5"', "[]", "[1]", "{}", "{ a = 1 }"]

FAULTS = {
    "an unknown key": (
        "timeout_s = 5.0",
        "timeot_s = 5.0",
        "[connection] has an unknown key 'timeot_s'",
        "'timeout_s'?",
    ),
    "a misspelt required key": (
        "endpoint = ",
        "endpiont = ",
        "[connection] has an unknown key 'endpiont'",
        "'endpoint'?",
    ),
    "an unknown table": ("[supervisor]", "[superviser]", "unknown table or key 'superviser'", "mean 'supervisor'?"),
    "a missing key": ('namespace = "urn:neurotwin:plant"', "", "[connection] lacks the key 'namespace'", "add it"),
    "a missing table": ("[connection]", "[influx]", "[influx] has an unknown key", "'endpoint'"),
    "a text for a number": ("timeout_s = 5.0", 'timeout_s = "5"', "[connection] timeout_s must be a number", "'5'"),
    "a flag for a number": ("timeout_s = 5.0", "timeout_s = true", "timeout_s must be a number", "it is True"),
    "a number for a flag": ("lockstep = false", "lockstep = 0", "lockstep must be true or false", "it is 0"),
    "a number that is none": ("timeout_s = 5.0", "timeout_s = nan", "timeout_s must be a finite number", "it is nan"),
    "a time of zero": ("poll_s = 0.2", "poll_s = 0", "[connection] poll_s must be greater than 0", "it is 0"),
    "an unknown process": (
        'process = "penicillin"',
        'process = "penicilin"',
        "[plant] process 'penicilin'",
        "mean 'penicillin'?",
    ),
    "an unknown unit": (
        'unit = "mg/L"\nlow = 0.0',
        'unit = "mg/l"\nlow = 0.0',
        "unit 'mg/l' is not known",
        "mean 'mg/L'?",
    ),
    "an unknown role": ('role = "assayed"', 'role = "lab"', "[[variable]] 'biomass' role must be", "'lab'"),
    "a span upside down": (
        "low = 2.0\nhigh = 12.0",
        "low = 12.0\nhigh = 2.0",
        "[[variable]] 'ph' low 12",
        "below high 2",
    ),
    "limits upside down": ("low = 0.035", "low = 0.05", "[limits.feed] low 0.05 is not below high 0.045", "mend"),
    "limits beyond the span": (
        "high = 0.002",
        "high = 0.02",
        "[limits.precursor_feed] 0 to 0.02 leaves the span",
        "0.005",
    ),
    "limits of nothing": ("[limits.feed]", "[limits.feeed]", "'feed' has no limits", "[limits.feed]"),
    "the same variable twice": ('name = "ph"', 'name = "weight"', "variable name 'weight' is used twice", "number 4"),
    "the same tag twice": ('node = "AIC101.PV"', 'node = "AIC102.PV"', "the tag 'AIC102.PV' is used twice", "'ph'"),
    "a setpoint of what is measured": (
        'node = "AIC101.PV"',
        'node = "AIC101.PV"\nsetpoint = "AIC101.SP"',
        "[[variable]] 'ph' setpoint belongs to a manipulated variable",
        "remove it",
    ),
    "a part that no vessel has": ('drawn = "shaft"', 'drawn = "lid"', "'agitator_power' drawn must be", "it is 'lid'"),
    "an assay that is drawn": (
        'node = "LAB.BIOMASS"',
        'node = "LAB.BIOMASS"\ndrawn = "probe"',
        "'biomass' drawn belongs to what is read on line",
        "remove it",
    ),
    "a batch of no length": ("length_h = 230.0", "", "[batch] lacks the key 'length_h'", "add it"),
    "an output that is not measured": (
        'active = "FIC201.SP_ACTIVE"',
        'active = "FIC201.SP_ACTIVE"\noutput = "air_flwo"',
        "'feed': output names 'air_flwo', no measured variable",
        "mean 'air_flow'?",
    ),
    "no setpoint": (
        'setpoint = "FIC201.SP"',
        "",
        "[[variable]] 'feed' a manipulated variable needs the tag",
        "setpoint",
    ),
    "evidence that is not measured": ('    "weight",', '    "wieght",', "evidence names 'wieght'", "mean 'weight'?"),
    "evidence from the laboratory": ('    "weight",', '    "biomass",', "evidence names 'biomass'", "not an on-line"),
    "a lease shorter than a scan": (
        "command_valid_s = 3600.0",
        "command_valid_s = 200.0",
        "command_valid_s = 200",
        "300 s",
    ),
    "a heartbeat shorter than a scan": ("lease_s = 3600.0", "lease_s = 300.0", "[supervisor] lease_s = 300", "scan_s"),
    "a web address for a plant": ("opc.tcp://127", "http://127", "[connection] endpoint 'http://127", "opc.tcp://host"),
    "the gateway open to all": (
        '[gateway]\nhost = "127.0.0.1"',
        '[gateway]\nhost = "0.0.0.0"',
        "[gateway] host '0.0.0.0' can be reached from other machines",
        "use '127.0.0.1'",
    ),
    "one port for two": ("port = 8421", "port = 8420", "[gateway] and [console] share the port 8420", "change one"),
    "a port that is none": ("port = 8421", "port = 84210", "[console] port must be at most 65535", "84210"),
    "an unknown backend": (
        'backend = "lava-fixed"',
        'backend = "lava"',
        "backend must be 'lava-fixed', 'lava-float'",
        "'lava'",
    ),
    "a user without a password": ("timeout_s = 5.0", 'user = "me"', "user and password_file go together", "anonymous"),
    "an absent password file": (
        "timeout_s = 5.0",
        'user = "me"\npassword_file = "secret"',
        "password_file '",
        "secret' does not exist; create it",
    ),
    "lockstep without a method": (
        "lockstep = false                        # true: advance a simulated plant scan by scan, as fast as it can go\n"
        'advance_node = "SIMULATION.ADVANCE"',
        "lockstep = true",
        "lockstep needs advance_node",
        "add it",
    ),
    "an envelope without a bound": ("low = 20.0\n", "", "[envelope.dissolved_oxygen] neither low nor high", "add one"),
    "no phase to move in": (
        'phases = ["production"]',
        "phases = []",
        "[limits.feed] phases must be a list that",
        "it is []",
    ),
    "a syntax error": ("timeout_s = 5.0", "timeout_s = ", "is not valid TOML", "line 15"),
    "a table that is none": ("[plant]", "influx = 3\n[plant]", "[influx] must be a table", "it is 3"),
    "a plant name that is no file name": ('name = "R1"', 'name = "../R1"', "[plant] name must be of the form", "../R1"),
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "plant.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_shipped_configuration_describes_the_plant() -> None:
    shipped = load(find("penicillin").configuration)
    plant = shipped.plant_record()
    assert (plant.name, plant.model, len(plant.variables)) == ("R1", "penicillin", 18)
    assert [v.name for v in plant.having(Role.MANIPULATED)] == ["feed", "precursor_feed"]
    assert plant.variable("ph").max_age_s == 3 * shipped.connection.scan_s
    assert plant.variable("biomass").max_age_s == math.inf
    assert (shipped.limits["feed"].low, shipped.limits["feed"].high) == (0.035, 0.045)
    assert (shipped.envelope["volume"].low, shipped.envelope["volume"].high) == (-math.inf, 120.0)
    assert shipped.historian_path() == Path("var/R1.sqlite")
    assert (shipped.gateway.port, shipped.console.port) == (8420, 8421)


def test_a_configuration_that_does_not_ship_is_refused_with_those_that_do() -> None:
    with pytest.raises(UserError, match=r"process 'penicilin' does not exist; did you mean 'penicillin'\?"):
        find("penicilin")


@pytest.mark.parametrize("case", FAULTS, ids=list(FAULTS))
def test_a_fault_is_one_sentence_with_the_place_and_the_mend(case: str, written: Callable[[str], Path]) -> None:
    old, new, place, mend = FAULTS[case]
    assert old in TEXT
    path = written(TEXT.replace(old, new, 1))
    with pytest.raises(SettingsError) as refused:
        load(path)
    sentence = str(refused.value)
    assert sentence.startswith(f"{path}: ")
    assert place in sentence
    assert mend in sentence
    assert "\n" not in sentence


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: cannot be read \(no such file or directory\)"):
        load(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is not UTF-8 text; save it as UTF-8"):
        load(tmp_path / "binary.toml")


def test_an_empty_file_says_which_table_it_lacks(written: Callable[[str], Path]) -> None:
    with pytest.raises(SettingsError, match=r"the table \[plant\] is missing; add it"):
        load(written(""))


def test_paths_in_the_file_are_taken_from_its_folder(written: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("pass word\n", encoding="utf-8")
    (tmp_path / "token").write_text("t0ken\n", encoding="utf-8")
    user = 'timeout_s = 5.0\nuser = "me"\npassword_file = "secret"'
    tables = (
        '[historian]\npath = "data/{plant}.db"\n'
        '[influx]\nurl = "http://127.0.0.1:8086"\norg = "o"\nbucket = "b"\ntoken_file = "token"\n[gateway]'
    )
    read = load(written(TEXT.replace("timeout_s = 5.0", user).replace("[gateway]", tables)))
    assert read.historian_path() == tmp_path / "data" / "R1.db"
    assert read.connection.password() == "pass word"
    assert read.influx is not None
    assert read.influx.token() == "t0ken"


def test_settings_cannot_be_changed_and_a_changed_copy_is_validated_again() -> None:
    shipped = load(find("penicillin").configuration)
    with pytest.raises(FrozenInstanceError):
        shipped.connection.timeout_s = 1.0  # type: ignore[misc]
    assert replace(shipped.connection, timeout_s=1.0).timeout_s == 1.0
    with pytest.raises(ValueError, match="greater than 0"):
        replace(shipped.connection, timeout_s=-1.0)


@given(line=st.sampled_from(ASSIGNMENTS), literal=st.sampled_from(LITERALS))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_anywhere_gives_settings_or_a_sentence(
    line: int, literal: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = TEXT.splitlines()
    lines[line] = f"{lines[line].split('=')[0]}= {literal}"
    path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        assert isinstance(load(path), Settings)
    except SettingsError as fault:
        key = lines[line].split(" ")[0]
        assert str(fault).startswith(f"{path}: ")
        assert key in str(fault) or "[" in str(fault)
        assert "\n" not in str(fault)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read (no such file or directory); give the path of a file of alarms"),
        ("[[alarm", "is not valid TOML"),
        ("[plant]\nname = 'R2'\n", "which holds more than [[alarm]] tables; move the rest here"),
    ],
)
def test_a_file_of_alarms_that_is_no_good_is_told_with_the_configuration_that_names_it(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    path, beside = tmp_path / "plant.toml", tmp_path / "beside.toml"
    asked = find("penicillin").content()
    asked["alarms"]["file"] = str(beside)
    path.write_text(tomli_w.dumps(asked), encoding="utf-8")
    if content is not None:
        beside.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: file in [alarms] names {beside}")
    assert sentence in str(refused.value)
