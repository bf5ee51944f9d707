"""A FHIR R4 Bundle in: its entries one by one, whom they are about, and what of it is not there or not read.

Entries are validated with the R4B classes, of which only what R4 (4.0.1) has as well is used, so that a fault names
the entry. Other resources are left out and counted; where one could hold a drug, or the bundle is one page of several,
that is told on every advice and nothing is said of the dose.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from controller.patient.data import fhir_observations
from controller.patient.data.codes import LOCAL, item_of
from controller.patient.data.fhir_drugs import Drugs
from controller.patient.data.fhir_status import STATUS
from controller.patient.data.samples import Found, PatientFileFault

READ = ("Observation", *STATUS)
HOLDS_DRUGS = frozenset({"Bundle", "MedicationOrder", "MedicationUsage"})  # of another version, or one inside the other
Json = Mapping[str, Any]


def from_bundle(path: Path) -> Found:
    """The reports, doses and regimens of a bundle; PatientFileFault names the entry that is at fault."""
    bundle = _json(path)
    if bundle.get("resourceType") != "Bundle":
        raise PatientFileFault(f"{path} is not a FHIR Bundle: its resourceType is {bundle.get('resourceType')!r}")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not entries:
        raise PatientFileFault(f"{path} is a Bundle without entries")
    _valid("Bundle", {**bundle, "entry": []}, str(path))
    found, skipped = Found(), Counter[str]()
    resources = list(_resources(path, entries))
    drugs = Drugs(found, skipped, _by_reference(entries, "Medication"))
    aliases = _aliases(entries)
    deleted = _deleted(entries)
    for where, resource in resources:
        if f"{resource['resourceType']}/{resource.get('id')}" in deleted:
            skipped["a resource that was deleted"] += 1
            continue
        _one_person(found, aliases, where, resource)
        _take(found, drugs, where, resource)
    _partial(found, str(path), bundle, len(entries))
    found.notes += [f"{path}: {count} left out: {what}" for what, count in sorted(skipped.items())]
    return found


def _json(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON number")

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise PatientFileFault(f"{path} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise PatientFileFault(f"{path} is not a FHIR Bundle: it holds no JSON object")
    return content


def _resources(path: Path, entries: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each resource and what people call its entry."""
    ids: dict[str, str] = {}
    known: dict[str, Any] = {}
    for index, entry in enumerate(entries):
        where = f"{path}, entry[{index}]"
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if resource is None and isinstance(entry, dict) and {"request", "response"} & set(entry):
            continue  # of a history: a resource that was deleted, or what a server answered
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise PatientFileFault(f"{where} holds no resource with a resourceType")
        kind, key = resource["resourceType"], resource.get("id")
        where += f" ({kind}/{key})" if isinstance(key, str) else f" ({kind} without id)"
        if isinstance(key, str):
            name = f"{kind}/{key}"
            if known.get(name) == resource:
                continue  # the very same once more, as a search with several includes gives it
            if name in ids:
                raise PatientFileFault(f"{where} has the id of {ids[name]}")
            ids[name], known[name] = where.removeprefix(f"{path}, "), resource
        yield where, resource


def _deleted(entries: list[Any]) -> set[str]:
    """What a history says was deleted: its earlier versions mean nothing any more."""
    requests = [entry.get("request") or {} for entry in entries if isinstance(entry, dict)]
    return {str(request.get("url")) for request in requests if request.get("method") == "DELETE"}


def _take(found: Found, drugs: Drugs, where: str, resource: dict[str, Any]) -> None:
    kind = resource["resourceType"]
    if kind == "OperationOutcome":
        _outcome(found, where, resource)
    elif kind in HOLDS_DRUGS:
        found.unread(f"{where} could hold a drug, and is not read")
    elif kind in STATUS:
        drugs.take(where, resource, _valid(kind, resource, where))
    elif kind == "Observation":
        fhir_observations.take(found, drugs.skipped, where, _valid(kind, resource, where))
    elif kind == "DetectedIssue" and _is_unchecked(resource):
        found.unread(str(resource.get("detail", "a part of the record")))
    elif kind == "QuestionnaireResponse":
        fhir_observations.answers(found, where, resource)
    elif kind not in {"Patient", "Medication"}:  # which are read where they are referred to
        drugs.skipped[f"{kind}, a resource that is not read"] += 1


def _is_unchecked(issue: Json) -> bool:
    codings = issue.get("code", {}).get("coding", ())
    return any(item_of(c.get("system"), c.get("code")) == "unchecked" for c in codings)


def _outcome(found: Found, where: str, resource: Json) -> None:
    """What a server could not or would not give."""
    for issue in resource.get("issue", ()):
        if issue.get("severity") != "information":
            said = issue.get("diagnostics") or issue.get("details", {}).get("text") or issue.get("code")
            found.unread(f'{where}: the server said "{said}"')


def _partial(found: Found, path: str, bundle: Json, entries: int) -> None:
    """A bundle that is not all there is."""
    if any(link.get("relation") == "next" for link in bundle.get("link", ())):
        found.unread(f"{path} has further pages, and what is on the other pages was not checked")
    elif bundle.get("type") == "searchset" and bundle.get("total", 0) > entries:
        found.unread(f"{path} has {entries} entries of {bundle['total']}, and the others were not checked")


def _valid(kind: str, resource: dict[str, Any], where: str) -> Any:
    try:
        return get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the resource"
        said = " ".join(first["msg"].removeprefix("Value error, ").split())
        raise PatientFileFault(f"{where} is no valid FHIR R4 {kind}: {field}: {said}") from None


def _by_reference(entries: list[Any], kind: str) -> dict[str, Json]:
    """The resources of a kind by what may refer to them."""
    found: dict[str, Json] = {}
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") == kind:
            names = (f"{kind}/{resource['id']}" if "id" in resource else None, entry.get("fullUrl"))
            found |= {name: resource for name in names if isinstance(name, str)}
    return found


def _aliases(entries: list[Any]) -> dict[str, str]:
    """By every name of a Patient of the bundle (full URL, identifier) the one that we use."""
    names: dict[str, str] = {}
    for name, patient in _by_reference(entries, "Patient").items():
        ours = [i.get("value") for i in patient.get("identifier", ()) if i.get("system") == LOCAL]
        own = ours[0] if ours else f"Patient/{patient['id']}" if "id" in patient else name
        names[name] = own
        names |= {i["value"]: own for i in patient.get("identifier", ()) if isinstance(i.get("value"), str)}
    return names


def _one_person(found: Found, aliases: Json, where: str, resource: Json) -> None:
    """One run is about one person."""
    if resource["resourceType"] == "Patient":
        name: Any = f"Patient/{resource['id']}" if "id" in resource else None
    else:
        subject = resource.get("subject") or resource.get("patient")
        subject = subject if isinstance(subject, dict) else {}
        identifier = subject.get("identifier")
        name = subject.get("reference") or (identifier.get("value") if isinstance(identifier, dict) else None)
    if isinstance(name, str):
        name = aliases.get(name, name)
        for other, first in found.people.items():
            if other != name:
                entry = first.rpartition(", ")[2]
                raise PatientFileFault(
                    f"{where} is about {name}, but {entry} is about {other}; one bundle, one patient"
                )
        found.people.setdefault(name, where)
