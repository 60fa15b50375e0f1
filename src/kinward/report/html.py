"""The report of a search as one HTML file that needs nothing else.

No scripts and no requests: the page's own policy admits only its style sheet, by digest. It is
meant to be read by families and courts alike, on a telephone and on paper.
"""

from __future__ import annotations

import base64
import hashlib
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kinward.model.population import list_populations
from kinward.report.decision import Decision, DecisionRule, Progress, decide
from kinward.report.views import CAPS, Caps, PlantedTruth, case_view, child_row
from kinward.report.words import chance_words, count_words, percent_words, seconds_words
from kinward.search.record import FamilyFinding, SearchRun

__all__ = ["write_report"]

_MOST_FINDINGS = 100


def write_report(
    run: SearchRun,
    path: Path,
    *,
    title: str,
    synthetic: bool,
    truth: Mapping[str, PlantedTruth] | None = None,
    rejected: int = 0,
    decisions: Sequence[Decision] | None = None,
    rule: DecisionRule | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the report of a search.

    `synthetic` labels the page as made from simulated data; `truth`, by child id, adds what was
    planted; `rejected` counts faulty input rows that were left out; `decisions` spares computing
    them again. Raises OSError if the file cannot be written.
    """
    rule = rule or DecisionRule()
    decided = tuple(decisions) if decisions is not None else decide(run, rule, progress)
    path.write_text(
        _page(run, decided, rule, CAPS, title, synthetic, truth, rejected), encoding="utf-8"
    )


def _page(
    run: SearchRun,
    decisions: Sequence[Decision],
    rule: DecisionRule,
    caps: Caps,
    title: str,
    synthetic: bool,
    truth: Mapping[str, PlantedTruth] | None,
    rejected: int,
) -> str:
    environment = Environment(
        loader=PackageLoader("kinward.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=count_words, chance=chance_words, percent=percent_words, seconds=seconds_words
    )
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    cases = [case_view(run, d, rule, truth, caps) for d in decisions if d.examination is not None]
    # Listed by decision where not all children can be listed: those found matter most.
    order = {"found": 0, "undecided": 1, "not found": 2}
    listed = list(decisions)
    if len(listed) > caps.children:
        listed = sorted(listed, key=lambda d: order[d.verdict])[: caps.children]
    return environment.get_template("report.html").render(
        title=title,
        synthetic=synthetic,
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'",
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        run=run,
        rule=rule,
        caps=caps,
        counts=Counter(decision.verdict for decision in decisions),
        rows=[child_row(run, decision, truth) for decision in listed],
        cases=[(case, Markup(case.pedigree)) for case in cases],
        has_truth=truth is not None,
        planted=_planted(run, decisions, truth),
        findings=_findings(run),
        rejected=rejected,
        missing=int(run.families.missing.sum()),
        populations=_populations(run),
        versions=_versions(run),
        digest=run.model.digest(),
        notes=_notes(run),
        fact_names=[name.replace("_", " ") for name in run.children.facts],
    )


@dataclass(frozen=True, slots=True)
class _Planted:
    """How the decisions compare with the planted truth."""

    registered: int
    recovered: int
    open: int
    lost: int
    wrong: int


def _planted(
    run: SearchRun, decisions: Sequence[Decision], truth: Mapping[str, PlantedTruth] | None
) -> _Planted | None:
    if truth is None:
        return None
    tally: Counter[str] = Counter()
    for decision in decisions:
        row = child_row(run, decision, truth)
        planted = truth.get(row.id)
        at_home = planted is not None and bool(planted.missing)
        tally["registered"] += at_home
        tally["recovered"] += decision.verdict == "found" and bool(row.agrees)
        tally["open"] += at_home and decision.verdict == "undecided"
        tally["lost"] += at_home and decision.verdict == "not found"
        tally["wrong"] += decision.verdict == "found" and not row.agrees
    return _Planted(
        tally["registered"], tally["recovered"], tally["open"], tally["lost"], tally["wrong"]
    )


@dataclass(frozen=True, slots=True)
class _Findings:
    """Families whose samples contradict each other, as many as are shown."""

    shown: tuple[tuple[str, str, bool], ...]
    impossible: int
    total: int


def _findings(run: SearchRun) -> _Findings:
    ordered: list[FamilyFinding] = sorted(
        run.findings, key=lambda f: (not f.impossible, -len(f.loci), f.family)
    )
    shown = tuple(
        (str(run.families.family_ids[f.family]), ", ".join(f.loci), f.impossible)
        for f in ordered[:_MOST_FINDINGS]
    )
    return _Findings(shown, sum(f.impossible for f in ordered), len(ordered))


def _populations(run: SearchRun) -> list[tuple[str, str]]:
    """Return name and citation of each frequency table; a file of the user's has no citation."""
    known = {info.name: info for info in list_populations()}
    named = []
    for name in run.model.population.split("+"):
        info = known.get(name)
        if info is None:
            named.append((name, "given with the search"))
        else:
            doi = f", doi:{info.doi}" if info.doi else ""
            named.append((name, f"{info.description}; {info.citation}{doi}"))
    return named


def _notes(run: SearchRun) -> list[str]:
    """Return the run's notes but for those on added alleles, which the page lists by themselves."""
    listed = tuple(f"{locus}: alleles not in" for locus in run.model.added)
    return [note for note in run.notes if not note.startswith(listed)]


def _versions(run: SearchRun) -> str:
    parts = [f"Kinward {run.version}", f"Python {platform.python_version()}"]
    parts += [f"{name} {version(name)}" for name in ("numpy", "numba")]
    return ", ".join(parts)
