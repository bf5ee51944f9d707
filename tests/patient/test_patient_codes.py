"""The one table of codes, and the page of the documentation that shows it."""

from __future__ import annotations

from pathlib import Path

from controller.patient.data import codes
from controller.patient.data.channels import BY_NAME
from controller.patient.pharmacology.drugs import DRUGS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "patient-data.md"


def test_every_channel_and_every_drug_of_the_twin_has_a_code() -> None:
    items = {c.item for c in codes.CODES}
    assert set(BY_NAME) <= items and set(DRUGS) <= set(codes.DRUGS)


def test_a_code_means_one_thing_and_says_where_it_was_found() -> None:
    assert len({(c.system, c.code) for c in codes.CODES}) == len(codes.CODES)
    assert all(c.source and c.text for c in codes.CODES)
    assert all(codes.item_of(c.system, c.code) == c.item for c in codes.CODES)
    assert codes.item_of("http://loinc.org", "0000-0") is None is codes.item_of(None, None)


def test_what_is_uncertain_is_marked_to_be_verified_by_a_person() -> None:
    doubtful = {c.item for c in codes.CODES if c.to_verify}
    assert {"mood", "stress", "escitalopram", "lamotrigine"} <= doubtful
    assert not doubtful & {"heart_rate", "spo2", "temperature", "sleep", "phq9"}


def test_codes_that_were_mistaken_for_others_are_not_in_the_table() -> None:
    """352741 is a brand of escitalopram, 41493 is not fluoxetine."""
    assert not {"352741", "41493"} & {c.code for c in codes.CODES}


def test_the_units_written_are_read_again() -> None:
    for name, channel in BY_NAME.items():
        assert codes.code_of(name).ucum in channel.units and channel.unit in channel.units


def test_the_page_shows_the_table_as_it_is_and_every_channel() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert codes.markdown() in page
    for channel in BY_NAME.values():
        units = ", ".join(f"`{unit}`" for unit in channel.units)
        assert f"| `{channel.name}` | {channel.text} | {channel.unit} | {units} |" in page
