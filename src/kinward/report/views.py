"""What the report's template prints: every figure already in words, nothing left to compute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kinward.likelihood.story import LocusStory
from kinward.model.registry import SEXES
from kinward.report.decision import Decision, DecisionRule, Examination, Verdict
from kinward.report.pedigree_svg import pedigree_svg
from kinward.report.words import percent_words, ratio_words
from kinward.search.record import Candidates, SearchRun

__all__ = [
    "CAPS",
    "BarView",
    "Caps",
    "CaseView",
    "ChildRow",
    "LocusView",
    "PlantedTruth",
    "case_view",
    "child_row",
    "locus_note",
]


@dataclass(frozen=True, slots=True)
class Caps:
    """How much a report shows at most: children listed, candidates per child, relatives typed."""

    children: int = 2000
    candidates: int = 5
    relatives: int = 6


CAPS = Caps()


@dataclass(frozen=True, slots=True)
class PlantedTruth:
    """The truth about a synthetic child, for demonstrations.

    `family` is the id of the family it has to do with, empty for none; `missing` the id of the
    missing child that it is, empty if it is none of the registered ones; `words` say the rest.
    """

    family: str
    missing: str
    words: str


@dataclass(frozen=True, slots=True)
class ChildRow:
    """One line of the table of all children."""

    id: str
    facts: tuple[tuple[str, str], ...]
    verdict: Verdict
    family: str
    ratio: str
    probability: str
    truth: str
    agrees: bool | None
    detailed: bool


@dataclass(frozen=True, slots=True)
class BarView:
    """A bar on the logarithmic scale; start and width in per cent of the whole."""

    words: str
    value: str
    start: float
    width: float
    zero: float
    tone: str


@dataclass(frozen=True, slots=True)
class LocusView:
    """One locus of a pair: genotypes in words, the factor, and a remark with its tone."""

    locus: str
    child: str
    relatives: tuple[str, ...]
    ratio: str
    note: str
    tone: str


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One candidate of a child."""

    rank: int
    family: str
    missing: str
    typed: str
    log10_lr: str
    ratio: str
    father_alone: str
    mother_alone: str
    loci: int
    exclusions: int
    sex_conflict: bool
    truth: bool


@dataclass(frozen=True, slots=True)
class CaseView:
    """One child in detail."""

    row: ChildRow
    sex: str
    headline: str
    reasons: tuple[str, ...]
    next_step: str
    unregistered: str
    missing: str
    home_facts: tuple[tuple[str, str], ...]
    candidates: tuple[CandidateView, ...]
    omitted: int
    one_parent: bool
    pedigree: str
    bars: tuple[BarView, ...]
    people: tuple[str, ...]
    untold_people: int
    loci: tuple[LocusView, ...]
    total: str


def child_row(
    run: SearchRun, decision: Decision, truth: Mapping[str, PlantedTruth] | None
) -> ChildRow:
    """Return a child's line of the table."""
    name = str(run.children.ids[decision.child])
    table, rows = _table(run, decision)
    family, ratio = "", ""
    if rows and decision.verdict != "not found":
        family = str(run.families.family_ids[table.family[rows[0]]])
        ratio = ratio_words(_ratio_shown(table, rows[0], alone=decision.rests_on_one_parent))
    planted = (truth or {}).get(name)
    return ChildRow(
        name,
        _facts(run.children.facts, decision.child),
        decision.verdict,
        family,
        ratio,
        percent_words(decision.posterior) if family else "",
        _truth_words(planted),
        _agrees(decision, family, planted),
        decision.examination is not None,
    )


def case_view(
    run: SearchRun,
    decision: Decision,
    rule: DecisionRule,
    truth: Mapping[str, PlantedTruth] | None,
    caps: Caps = CAPS,
) -> CaseView:
    """Return a child in detail; the decision must hold an examination."""
    examination = decision.examination
    if examination is None:
        raise ValueError("the child was not examined")
    row = child_row(run, decision, truth)
    table, rows = _table(run, decision)
    planted = (truth or {}).get(row.id)
    shown = tuple(
        _candidate(run, table, at, rank, planted)
        for rank, at in enumerate(rows[: caps.candidates], start=1)
    )
    typed = [p for p in examination.family.profiles if p not in examination.family.missing]
    return CaseView(
        row,
        SEXES[run.children.sex[decision.child]],
        decision.headline,
        decision.reasons,
        decision.next_step,
        percent_words(decision.unregistered),
        examination.missing,
        _facts(run.families.facts, examination.slot),
        shown,
        len(rows) - len(shown),
        decision.rests_on_one_parent,
        _pedigree(examination, row.id, typed, decision.child),
        _bars(run, table, rows[0], examination, rule),
        tuple(typed[: caps.relatives]),
        max(0, len(typed) - caps.relatives),
        _loci(examination, typed[: caps.relatives]),
        ratio_words(examination.story.result.log10_lr),
    )


def _table(run: SearchRun, decision: Decision) -> tuple[Candidates, list[int]]:
    """Return the table that the decision rests on, and the child's rows of it, best first."""
    if not decision.rests_on_one_parent:
        return run.candidates, list(decision.candidates)
    table = run.one_parent

    def alone(row: int) -> float:
        return _ratio_shown(table, row, alone=True)

    return table, sorted(decision.one_parent, key=alone, reverse=True)


def _ratio_shown(table: Candidates, row: int, *, alone: bool) -> float:
    if not alone:
        return float(table.log10_lr[row])
    return max(float(table.father_alone[row]), float(table.mother_alone[row]))


def _facts(facts: Mapping[str, object], row: int) -> tuple[tuple[str, str], ...]:
    named = []
    for name, column in facts.items():
        value = str(column[row])  # type: ignore[index]
        if value:
            named.append((name.replace("_", " "), value))
    return tuple(named)


def _truth_words(planted: PlantedTruth | None) -> str:
    if planted is None:
        return ""
    return f"{planted.family}: {planted.words}" if planted.family else planted.words


def _agrees(decision: Decision, family: str, planted: PlantedTruth | None) -> bool | None:
    """Whether a finding is the planted one; None where no family was named.

    A child of a registered family that was not found is missed, not contradicted.
    """
    if planted is None or decision.verdict == "undecided":
        return None
    if decision.verdict == "found":
        return bool(planted.missing) and family == planted.family
    return None if planted.missing else True


def _candidate(
    run: SearchRun, table: Candidates, row: int, rank: int, planted: PlantedTruth | None
) -> CandidateView:
    family = int(table.family[row])
    name = str(run.families.family_ids[family])
    missing = str(run.families.person_ids[table.slot[row]])
    home = run.families.family(family)
    log10_lr = float(table.log10_lr[row])
    return CandidateView(
        rank,
        name,
        missing,
        ", ".join(p for p in home.profiles if p not in home.missing),
        "−∞" if log10_lr == -math.inf else f"{log10_lr:.2f}".replace("-", "−"),
        ratio_words(log10_lr),
        ratio_words(float(table.father_alone[row])),
        ratio_words(float(table.mother_alone[row])),
        int(table.loci[row]),
        int(table.exclusions[row]),
        bool(table.sex_conflict[row]),
        planted is not None and (planted.family, planted.missing) == (name, missing),
    )


def _pedigree(examination: Examination, child: str, typed: list[str], number: int) -> str:
    family = examination.family
    return pedigree_svg(
        family.pedigree,
        typed=typed,
        missing=family.missing,
        candidates={examination.missing: child},
        title=f"Family {family.id} with child {child} proposed as {examination.missing}",
        identifier=f"pedigree-{number}",
    )


def _bars(
    run: SearchRun, table: Candidates, row: int, examination: Examination, rule: DecisionRule
) -> tuple[BarView, ...]:
    bars: list[tuple[str, float, float]] = []
    log10_lr = float(table.log10_lr[row])
    bars.append(("All relatives, against unrelated", log10_lr, run.min_log10_lr))
    for words, column in (("father", table.father_alone), ("mother", table.mother_alone)):
        if not math.isnan(float(column[row])):
            bars.append(
                (
                    f"{words.capitalize()} alone, against unrelated",
                    float(column[row]),
                    run.min_log10_lr,
                )
            )
    for alternative in examination.alternatives:
        if alternative.margin is not None:
            words = f"Against that {alternative.words}"
            bars.append((words, alternative.margin, rule.close_relative))
    ceiling = max(6.0, *(value for _, value, _ in bars))
    floor = max(-6.0, min(0.0, *(value for _, value, _ in bars)))
    return tuple(_bar(words, value, passed, floor, ceiling) for words, value, passed in bars)


def _bar(words: str, value: float, least: float, floor: float, ceiling: float) -> BarView:
    def place(at: float) -> float:
        return 100.0 * (min(max(at, floor), ceiling) - floor) / (ceiling - floor)

    low, high = sorted((place(0.0), place(value)))
    tone = "good" if value >= least else "bad" if value < 0 else "open"
    return BarView(words, ratio_words(value), low, max(high - low, 0.6), place(0.0), tone)


def _loci(examination: Examination, people: list[str]) -> tuple[LocusView, ...]:
    several = examination.story.result.exclusions > 2
    views = []
    for one in examination.story.loci:
        note, tone = locus_note(one, several=several)
        views.append(
            LocusView(
                one.result.locus,
                str(one.child),
                tuple(str(one.relatives.get(person, "–")) for person in people),
                ratio_words(_log10(one.result.lr)),
                note,
                tone,
            )
        )
    return tuple(views)


def _log10(ratio: float | None) -> float | None:
    if ratio is None:
        return None
    return math.log10(ratio) if ratio else -math.inf


def locus_note(one: LocusStory, *, several: bool) -> tuple[str, str]:
    """Return the remark on a locus and its tone: `good`, `open`, `bad` or empty.

    With `several` inconsistent loci mutation is no longer the likely explanation of each.
    """
    ratio = one.result.lr
    if ratio is None:
        return "the relatives contradict each other", "bad"
    if ratio == 0:
        return "excludes", "bad"
    if one.result.exclusion:
        if several:
            return "does not fit", "bad"
        changes = ", ".join(f"{m.parent} {m.before} → {m.after}" for m in one.mutations)
        return f"probable mutation{': ' if changes else ''}{changes}", "open"
    return ("speaks against", "") if ratio < 0.5 else ("", "")
