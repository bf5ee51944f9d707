"""Guidelines as a table: what a genotype asks for, the greatest doses, what must not be combined, how to switch.

A row with `verify` was taken from a secondary source or from memory: a person checks it against the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.loop.records import Evidence
from controller.patient.advice.case import Treatment
from controller.patient.pharmacology.drugs import DRUGS, Drug

CPIC = "CPIC 2023, SSRI and CYP2D6, CYP2C19, CYP2B6"
CPIC_CITATION = "Bousman 2023, Clinical Pharmacology 114:51, 10.1002/cpt.2903"
DPWG = Evidence("DPWG 2021, CYP2C19 and CYP2D6 with SSRIs", "guideline", "PMC9553948")
LABEL = Evidence("label", "label", "the drug's label: doses, steps and intervals")
PLATEAU = Evidence("occupancy plateau", "study", "Meyer 2004, Am J Psychiatry 161:826; Sorensen 2022, Mol Psychiatry")
RANGES = Evidence("AGNP 2017, reference ranges", "consensus", "Hiemke 2018; Eichentopf 2022")
EARLY = Evidence("early response", "meta-analysis", "Taylor 2006: 28 trials, 5872 patients")
SLEEP = Evidence("sleep and next-day affect", "study", "MIDUS, PMC10529882; Triantafillou 2019")
SWITCH = Evidence("switching and stopping", "expert opinion", "Keks 2016; NICE; NHS GGC")
QT = Evidence("QT in usual practice", "expert opinion", "label; Medical Letter", verify=True)
BOX = Evidence("label box: suicidality", "label", "monitor worsening at the start and at changes of dose")
DESIGN = Evidence("rule of this program", "design", "no clinical validation")


@dataclass(frozen=True, slots=True)
class Guidance:
    """What CPIC says of one drug and one phenotype; burden 0 nothing, 1 another dose, 2 another drug."""

    drug: str
    gene: str
    phenotype: str
    text: str
    burden: int
    strength: str
    verify: bool = True

    def evidence(self) -> Evidence:
        """As a suggestion cites it."""
        return Evidence(f"{CPIC}: {self.drug}, {self.gene} {self.phenotype}", self.strength, CPIC_CITATION, self.verify)


_PM_CITALOPRAM = "a drug not mainly cleared by CYP2C19; else a lower start, slower steps, half the maintenance dose"
_SLOW = "standard start, slower steps, lower maintenance dose"
_HALF = "lower start, slower steps, half the maintenance dose, or another drug"
CPIC_TABLE: tuple[Guidance, ...] = (
    *(
        row
        for drug in ("escitalopram", "citalopram")
        for row in (
            Guidance(drug, "CYP2C19", "PM", _PM_CITALOPRAM, 2, "strong", verify=False),
            Guidance(drug, "CYP2C19", "IM", _SLOW, 1, "see the table"),
            Guidance(drug, "CYP2C19", "RM", "standard; without response a higher dose or another drug", 0, "optional"),
            Guidance(drug, "CYP2C19", "UM", "another drug; else a higher maintenance dose", 2, "see the table"),
        )
    ),
    Guidance("sertraline", "CYP2C19", "PM", _HALF, 1, "see the table"),
    Guidance("sertraline", "CYP2C19", "IM", _SLOW, 1, "see the table"),
    Guidance("sertraline", "CYP2B6", "PM", "lower start, slower, a quarter less, or another drug", 1, "see the table"),
    Guidance("sertraline", "CYP2B6", "IM", _SLOW, 1, "see the table"),
    Guidance("paroxetine", "CYP2D6", "PM", "half the start and maintenance dose, slower steps", 1, "see the table"),
    Guidance("paroxetine", "CYP2D6", "IM", "lower start, slower steps", 1, "see the table"),
    Guidance("paroxetine", "CYP2D6", "UM", "another drug", 2, "see the table"),
)

# The greatest daily dose by age, under and from 65 years: MHRA (age), DPWG 2021 (phenotype), FDA (liver, inhibitor).
ELDERLY_YEARS = 65.0
ELDERLY_CAP_MG: Mapping[str, float] = {"escitalopram": 10.0, "citalopram": 20.0}
PHENOTYPE_CAP_MG: Mapping[tuple[str, str, str], tuple[float, float]] = {
    ("escitalopram", "CYP2C19", "PM"): (10.0, 5.0),
    ("escitalopram", "CYP2C19", "IM"): (15.0, 7.5),
    ("citalopram", "CYP2C19", "PM"): (20.0, 10.0),
    ("citalopram", "CYP2C19", "IM"): (30.0, 15.0),
    ("sertraline", "CYP2C19", "PM"): (75.0, 75.0),
    ("paroxetine", "CYP2D6", "PM"): (25.0, 25.0),  # half of the label's; CPIC, to be verified
}
FRAGILE_CAP_MG: Mapping[str, float] = {"escitalopram": 10.0, "citalopram": 20.0}  # impaired liver, CYP2C19 inhibitor
# FDA, Table of inhibitors: strong fluconazole, fluoxetine, fluvoxamine, ticlopidine; moderate felbamate; weak
# omeprazole, voriconazole. The labels of citalopram and escitalopram name cimetidine, omeprazole and esomeprazole too.
CYP2C19_INHIBITORS = frozenset(
    {"fluconazole", "fluoxetine", "fluvoxamine", "ticlopidine", "felbamate", "omeprazole", "voriconazole"}
    | {"cimetidine", "esomeprazole"}
)
MAINLY_CYP2C19 = frozenset({"citalopram", "escitalopram", "sertraline"})

# Never together with a serotonergic drug, nor within 14 days after it.
FORBIDDEN = frozenset(
    {"phenelzine", "tranylcypromine", "isocarboxazid", "moclobemide", "selegiline", "rasagiline", "linezolid"}
    | {"methylene blue", "methylthioninium"}
)
FORBIDDEN_DAYS = 14.0
PIMOZIDE = "pimozide"
SEROTONERGIC = frozenset(
    {"tramadol", "fentanyl", "pethidine", "sumatriptan", "rizatriptan", "zolmitriptan", "lithium", "tryptophan"}
    | {"venlafaxine", "duloxetine", "mirtazapine", "buspirone", "dextromethorphan", "st john's wort", "clomipramine"}
    | {drug.name for drug in DRUGS.values() if drug.transporter}
)
QT_DRUGS = frozenset(
    {"amiodarone", "sotalol", "haloperidol", "pimozide", "methadone", "ondansetron", "clarithromycin", "moxifloxacin"}
    | {drug.name for drug in DRUGS.values() if drug.qt == "known"}
)
ENZYME_INDUCERS = frozenset({"carbamazepine", "phenytoin", "phenobarbital", "primidone"})

SHORT_TREATMENT_DAYS = 56.0


def phenotypes(t: Treatment) -> dict[str, str]:
    """The genes of the guidelines."""
    return {"CYP2C19": t.cyp2c19, "CYP2D6": t.cyp2d6, "CYP2B6": t.cyp2b6}


def guidance(t: Treatment, drug: str) -> tuple[Guidance, ...]:
    """The rows that concern this patient and drug."""
    genes = phenotypes(t)
    return tuple(g for g in CPIC_TABLE if g.drug == drug and genes[g.gene] == g.phenotype)


def cap_mg(t: Treatment, drug: Drug | None = None) -> float:
    """The most per day for this patient."""
    drug = drug or t.drug
    elderly = t.age_years is not None and t.age_years >= ELDERLY_YEARS
    caps = [drug.cap_mg]
    if elderly:
        caps.append(ELDERLY_CAP_MG.get(drug.name, drug.cap_mg))
    for gene, phenotype in phenotypes(t).items():
        caps.append(PHENOTYPE_CAP_MG.get((drug.name, gene, phenotype), (drug.cap_mg, drug.cap_mg))[elderly])
    if t.hepatic or CYP2C19_INHIBITORS & ({*t.comedication, *t.perhaps} - {drug.name}):
        caps.append(FRAGILE_CAP_MG.get(drug.name, drug.cap_mg))
    return min(caps)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Another drug to discuss, and what speaks against it; the least burden is the best."""

    drug: Drug
    burden: int
    remarks: tuple[str, ...]

    def told(self) -> str:
        """As a suggestion lists it."""
        remarks = "; ".join(self.remarks) or "no objection known here"
        return f"{self.drug.name}, from {self.drug.start_mg:g} mg a day: {remarks}."


def candidates(t: Treatment) -> tuple[Candidate, ...]:
    """Other drugs of the same group, the best first: by genotype, interactions and QT, then by name."""
    others = (d for d in DRUGS.values() if d.group == t.drug.group and d.name != t.drug.name)
    judged = [_judged(t, drug) for drug in others if drug.start_mg <= cap_mg(t, drug)]
    return tuple(sorted(judged, key=lambda c: (c.burden, c.drug.name)))


def _judged(t: Treatment, drug: Drug) -> Candidate:
    burden, remarks = 0, []
    for row in guidance(t, drug.name):
        burden += 2 * row.burden
        if row.burden:
            remarks.append(f"CPIC for {row.gene} {row.phenotype}: {row.text}")
    if drug.name in MAINLY_CYP2C19 and t.cyp2c19 in {"RM", "UM"}:
        burden += 2
        remarks.append(f"CPIC for CYP2C19 {t.cyp2c19}: a drug not mainly cleared by CYP2C19 is preferred")
    if drug.qt == "known":
        risk = t.electrolytes_low or (t.qtc_ms or 0) >= 450 or bool(QT_DRUGS & (set(t.comedication) - {drug.name}))
        burden += 3 if risk else 1
        remarks.append("lengthens QT" + (", and this patient is at risk of it" if risk else ""))
    if drug.inhibits:
        burden += 1
        remarks.append(f"inhibits {' and '.join(drug.inhibits)}")
    second = sorted(SEROTONERGIC & (set(t.comedication) - {drug.name, t.drug.name}))
    if second:
        burden += 1
        remarks.append(f"a second serotonergic drug, {', '.join(second)}, needs review")
    if drug.name == "citalopram" and t.drug.name == "escitalopram":
        burden += 4
        remarks.append("the racemate of the present drug")
    return Candidate(drug, burden, tuple(remarks))


def taper(t: Treatment, days: float) -> str:
    """How the present drug would be left, as something to discuss."""
    if t.drug.name == "fluoxetine":
        return "Fluoxetine leaves by itself over five weeks; discuss stopping it before the next drug builds up."
    weeks = 2 if days < SHORT_TREATMENT_DAYS else 4
    steps = [t.regimen.daily_mg * (weeks - k) / weeks for k in range(1, weeks)]
    told = ", ".join(f"{mg:g}" for mg in steps) + " mg a day"
    cross = "cross-tapered" if t.drug.name != "paroxetine" else "with the next drug begun low, since it inhibits CYP2D6"
    return f"Discuss a taper over {weeks} weeks ({told}, then none), {cross}; never abruptly."
