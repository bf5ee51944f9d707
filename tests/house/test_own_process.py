"""A process of one's own is a folder: named by its path it runs like one that ships, and its code only when trusted."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.processes import find, reference, shipped
from controller.settings import SettingsError, load
from controller.support.user_error import UserError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder outside of the package, with the files that a process has."""
    folder = tmp_path / "mine"
    shutil.copytree(find(reference()).folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    declared = folder / "process.toml"
    declared.write_text(declared.read_text().replace(f'name = "{reference()}"', 'name = "mine"', 1))
    plant = folder / "plant.toml"
    plant.write_text(plant.read_text().replace(f'process = "{reference()}"', 'process = "."\ntrust_code = true', 1))
    return folder


def test_it_is_found_by_its_folder_and_serves_its_own_equations_and_plant(own: Path) -> None:
    mine = find(str(own), trust_code=True)
    assert mine.name == "mine"
    assert mine.model() is not find(reference()).model()
    assert mine.model().states == find(reference()).model().states
    assert mine.design().inoculate.__module__.startswith("neurotwin_process_")


def test_its_code_runs_only_when_that_was_said(own: Path) -> None:
    with pytest.raises(UserError, match=r"model\.py is code that would run inside NeuroTwin; .*trust_code = true"):
        find(str(own)).model()


def test_a_configuration_in_the_folder_names_it_from_there_and_a_copy_from_anywhere(own: Path, tmp_path: Path) -> None:
    assert load(own / "plant.toml").plant_record().model == "mine"
    made = CliRunner().invoke(app, ["init", str(tmp_path / "there"), "--process", str(own), "--trust-code"])
    assert made.exit_code == 0, made.output
    copied = load(tmp_path / "there" / "mine.toml")
    assert copied.plant.process == str(own)
    assert find(str(own), trust_code=True).content()["plant"]["process"] == str(own)


def test_it_travels_to_another_process_by_its_folder(own: Path) -> None:
    mine = find(str(own), trust_code=True)
    again = pickle.loads(pickle.dumps(mine))
    assert (again.key, again.trusted, again.name) == (str(own), True, "mine")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.replace("volume =", "volum ="), "has an unknown key 'volum'; did you mean 'volume'"),
        (lambda text: text.replace("sd = ", "sd = -", 1), "must"),
        (lambda text: text.replace("[learning]", '[learning]\nslopes = ["moon"]', 1), "slopes names 'moon'"),
        (lambda text: text + "[", "is not a TOML file"),
    ],
)
def test_what_it_declares_wrongly_is_one_sentence_with_the_file(own: Path, change, sentence: str) -> None:
    path = own / "process.toml"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError) as refused:
        find(str(own))
    assert str(refused.value).startswith(str(path))
    if sentence != "must":
        assert sentence in str(refused.value)


def test_a_model_that_cannot_be_imported_is_told_with_its_file(own: Path) -> None:
    (own / "model.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(UserError, match=r"model\.py: cannot be imported: ModuleNotFoundError"):
        find(str(own), trust_code=True).model()


def test_what_a_folder_lacks_is_said_by_name(own: Path) -> None:
    (own / "truth.py").unlink()
    with pytest.raises(UserError, match=r"process 'mine' lacks an oracle.*truth\.py"):
        find(str(own), trust_code=True).truth()
    (own / "process.toml").unlink()
    with pytest.raises(UserError, match=r"holds no process\.toml, so it is no process"):
        find(str(own))


def test_a_shipped_name_cannot_be_shadowed_and_a_misspelt_one_is_mended(tmp_path: Path) -> None:
    assert all(find(name).folder.parent.name == "processes" for name in shipped())
    with pytest.raises(UserError, match=f"did you mean '{reference()}'"):
        find(reference()[:-1])
    text = find(reference()).configuration.read_text().replace(f'process = "{reference()}"', 'process = "./gone"')
    (tmp_path / "plant.toml").write_text(text)
    (tmp_path / "alarms.toml").write_text("alarm = []")
    with pytest.raises(SettingsError, match=r"\[plant\] .*gone: holds no process\.toml"):
        load(tmp_path / "plant.toml")
