"""Batch report: a self-contained HTML file that asks the network for nothing, and the same as PDF."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpdf import FPDF
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hmi import batch_figure

Content = Mapping[str, Any]
MINUS = str.maketrans({"-": "−"})


def render(content: Content) -> str:
    """The report's HTML, from plain data."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "signed": _signed, "age": _age}
    figures = {name: Markup(getattr(batch_figure, name)(content)) for name in ("trends", "estimates", "insight")}
    return environment.get_template("batch_report.html").render(c=content, figures=figures)


def write(content: Content, path: Path) -> None:
    """Write the report as HTML."""
    path.write_text(render(content), encoding="utf-8")


def write_pdf(content: Content, path: Path) -> None:
    """Write the report as PDF: the same figures and tables, on A4."""
    logging.getLogger("fpdf.svg").setLevel(logging.ERROR)  # it warns of a figure's metadata, which is not drawn
    pdf = _Pages(content)
    pdf.add_page()
    pdf.heading(f"Batch {content['batch']}", 17)
    pdf.words(content["subtitle"])
    pdf.listing("Figures", [(t["value"], t["text"]) for t in content["tiles"]], ("Value", "What"), (40, 140))
    if content["recipe"]:
        recipe = [(p["name"], p["setpoints"], p["ends"]) for p in content["recipe"]]
        pdf.listing("Recipe", recipe, ("Phase", "Setpoints", "Ends when"), (35, 70, 75))
    phases = [(p["name"], _age(p["start_h"]), _age(p["end_h"])) for p in content["phases"]]
    pdf.listing("Phases", phases, ("Phase", "From", "To"), (80, 50, 50))
    for name, title in (("trends", "Trends"), ("estimates", "Estimates and assays"), ("insight", "NeuroCore")):
        pdf.picture(title, getattr(batch_figure, name)(content))
    suggestions = [
        (_age(s["age_h"]), s["outcome"], s["reason"], s["predicted"], s["actual"]) for s in content["suggestions"]
    ]
    headed = ("Age", "Outcome", "Suggestion", "Predicted", "Actual")
    pdf.listing("Suggestions", suggestions, headed, (18, 25, 75, 31, 31))
    alarms = [(_age(a["age_h"]), a["name"], a["state"], a["text"]) for a in content["alarms"]]
    pdf.listing("Alarms", alarms, ("Age", "Alarm", "State", "What"), (18, 42, 35, 85))
    gaps = [(_age(g["start_h"]), _age(g["end_h"]), g["cause"], g["text"]) for g in content["gaps"]]
    pdf.listing("Gaps", gaps, ("From", "To", "Cause", "What"), (20, 20, 40, 100))
    audit = [(_age(e["age_h"]), e["who"], e["what"], e["old"], e["new"], e["reason"]) for e in content["audit"]]
    pdf.listing("Audit trail", audit, ("Age", "Who", "What", "Old", "New", "Reason"), (16, 24, 34, 22, 24, 60))
    pdf.listing("Versions", list(content["versions"].items()), ("What", "Version"), (60, 120))
    pdf.listing("Checksums", list(content["checksums"].items()), ("What", "SHA-256"), (50, 130))
    pdf.output(str(path))


class _Pages(FPDF):
    """A4 pages in the fonts that every reader has; what they lack is written in Latin letters."""

    def __init__(self, content: Content) -> None:
        super().__init__(format="A4", unit="mm")
        self._about = f"Batch {content['batch']}, plant {content['plant']}"
        self.set_margins(15, 15)
        self.set_auto_page_break(True, 17)
        self.set_title(self._about)

    def footer(self) -> None:
        """Which batch, and which page."""
        self.set_y(-12)
        self.set_font("helvetica", size=8)
        self.set_text_color(107, 119, 133)
        self.cell(0, 6, _latin(f"{self._about}    page {self.page_no()}"), align="C")

    def heading(self, text: str, size: float = 12) -> None:
        """A title."""
        self.set_text_color(31, 41, 51)
        self.set_font("helvetica", "B", size)
        self.multi_cell(0, size * 0.6, _latin(text), new_x="LMARGIN", new_y="NEXT")
        self.ln(1.5)

    def words(self, text: str) -> None:
        """A paragraph."""
        self.set_font("helvetica", size=9)
        self.multi_cell(0, 4.6, _latin(text), new_x="LMARGIN", new_y="NEXT")
        self.ln(3)

    def listing(self, title: str, rows: Any, headed: tuple[str, ...], widths: tuple[int, ...]) -> None:
        """A table with its title; one without rows says so."""
        self.heading(title)
        if not rows:
            self.words("None.")
            return
        self.set_font("helvetica", size=7.5)
        with self.table(
            col_widths=widths, line_height=4, borders_layout="HORIZONTAL_LINES", text_align="LEFT"
        ) as table:
            for line in (headed, *rows):
                row = table.row()
                for cell in line:
                    row.cell(_latin(str(cell)))
        self.ln(4)

    def picture(self, title: str, svg: str) -> None:
        """A figure over the width of the page; one that is too tall for it is made smaller."""
        if not svg:
            return
        from fpdf.svg import SVGObject

        drawn = SVGObject(svg)
        ratio = (drawn.height or 1.0) / (drawn.width or 1.0)
        self.add_page()
        self.heading(title)
        width = min(180.0, (self.h - self.get_y() - 20) / ratio)
        self.image(svg.encode(), x=15, w=width)
        self.ln(4)


def _latin(text: str) -> str:
    plain = text.replace("→", "->").replace("−", "-").replace("₂", "2").replace("…", "...").replace("τ", "tau")
    return plain.encode("latin-1", "replace").decode("latin-1")


def _number(value: Any, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}g}".translate(MINUS)


def _signed(value: float) -> str:
    return f"{value:+.3g}".translate(MINUS)


def _age(hours: float | None) -> str:
    return "–" if hours is None else f"{hours:.1f} h"
