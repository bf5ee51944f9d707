"""A process is found, not named: no file outside its own folder says its name, be it code, text, table or style."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.processes import shipped

ROOT = Path(__file__).parents[2]
PACKAGES = ("controller", "twin", "plant_sim", "hmi")
WRITTEN = {".py", ".toml", ".html", ".css", ".js", ".json", ".md", ".txt", ".yaml"}


def files(root: Path) -> Iterator[Path]:
    """What people wrote, but for the folders of the processes themselves."""
    own = [root / "controller" / "processes" / name for name in shipped()]
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*")):
        if path.suffix in WRITTEN and not any(folder in path.parents for folder in own):
            yield path


def named(root: Path) -> list[str]:
    """FILE:LINE of every place that names a process; a comment may cite one."""
    name = re.compile(rf"(?<![A-Za-z])({'|'.join(shipped())})(?![A-Za-z])", re.IGNORECASE)
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in files(root)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if name.search(line) and not line.lstrip().startswith("#")
    ]


def test_no_process_is_named_outside_its_folder() -> None:
    assert named(ROOT) == []


@pytest.mark.parametrize("line", ['find("{}")', "from controller.processes.{}.model import MODEL", "help = '{}_feed'"])
def test_naming_one_is_found_with_file_and_line(tmp_path: Path, line: str) -> None:
    said = line.format(shipped()[0])
    (tmp_path / "hmi").mkdir()
    (tmp_path / "hmi" / "new.py").write_text(f"# {said} in a comment is a citation\n{said}\n")
    assert named(tmp_path) == [f"hmi/new.py:2: {said}"]
