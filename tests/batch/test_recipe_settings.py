"""A recipe and its alarms in TOML are understood, or refused with one sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from controller.assembly import alarms_of, recipe_of
from controller.processes import find
from controller.settings import SettingsError, load


def changed(tmp_path: Path, change: Any) -> Path:
    content = find("penicillin").content()
    content["alarm"] = tomllib.loads(Path(content["alarms"].pop("file")).read_text())["alarm"]
    change(content)
    path = tmp_path / "R1.toml"
    path.write_text(tomli_w.dumps(content))
    return path


def test_the_shipped_recipe_and_alarms_are_complete() -> None:
    settings = load(find("penicillin").configuration)
    recipe = recipe_of(settings)
    assert [p.name for p in recipe.phases] == ["inoculation", "growth", "feed_start", "production", "harvest"]
    assert str(recipe.phases[1].ends_when[0]) == "plant.phase == production"
    assert recipe.hold == {"feed": 0.035, "precursor_feed": 0.00045}
    alarms, rules = alarms_of(settings)
    phases = {p.name for p in recipe.phases}
    assert all(a.consequence and a.response and set(a.phases) <= phases for a in alarms)
    assert rules.flood_per_10_min == 10


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["phase"][0].update(ends_when=["sugar gone"]), "ends_when 'sugar gone' cannot be read"),
        (lambda c: c["phase"][0].update(ends_when=["estimate.substrate < low"]), "'low' is not a number"),
        (lambda c: c["phase"][0].update(ends_when=["moon.phase == full"]), "only plant.phase is compared with =="),
        (lambda c: c["phase"][0].update(ends_when=["weather.rain > 1"]), "weather.rain is neither an age"),
        (lambda c: c["phase"][0].update(name="growth"), "the phase name 'growth' is used twice"),
        (lambda c: c["phase"][2].update(setpoints={"feed": 0.09}), "sets feed to 0.09, outside its limits 0.035 to"),
        (lambda c: c["phase"][2].update(limits={"fed": {"low": 1.0, "high": 2.0}}), "did you mean 'feed'?"),
        (lambda c: c["hold"].update(feed=0.0), "[hold] sets feed to 0, outside its limits 0.035 to 0.045"),
        (lambda c: c["alarm"][0].update(kind="lowish"), "[[alarm]] 'oxygen_low_low' kind must be"),
        (lambda c: c["alarm"][0].update(signal="process.oxygen"), "'oxygen' is not read on line"),
        (lambda c: c["alarm"][0].update(signal="loop.link"), "kind low judges process or"),
        (lambda c: c["alarm"][0].pop("limit"), "kind low needs a limit; add it"),
        (lambda c: c["alarm"][0].pop("response"), "lacks the key 'response'; add it"),
        (lambda c: c["alarm"][0].update(unless=["oxygn_low"]), "did you mean 'oxygen_low'?"),
        (lambda c: c["alarm"][5].update(name="ph_high"), "the alarm name 'ph_high' is used twice"),
        (lambda c: c["alarm"][0].update(colour="red"), "[[alarm]] 'oxygen_low_low' has an unknown key 'colour'"),
        (lambda c: c.update(notification={"url_file": "nowhere"}), "does not exist; create it or mend the path"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_place_and_the_mend(
    tmp_path: Path, change: Any, sentence: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(changed(tmp_path, change))
    assert sentence in str(refused.value)
