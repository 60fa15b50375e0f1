"""Found, undecided or not found: what a search says about each child, by a stated rule.

DNA only: facts such as age, sex and place are shown but do not enter. Before the search every
registered missing child is taken to be equally likely to be this child, with probability
`registered` in all, and the child's family not to be registered with the rest. Missing children
below the search's threshold enter with likelihood ratio 1, its expected value for the unrelated.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinward.errors import TooLargeError
from kinward.likelihood.missing import missing_person_lr
from kinward.likelihood.story import PairStory, pair_story
from kinward.model.pedigree import Pedigree
from kinward.model.profile import PERFECT_TYPING, Profile
from kinward.model.registry import Family
from kinward.report.alternatives import close_alternatives
from kinward.report.words import chance_words, percent_words, ratio_words
from kinward.search.record import Candidates, SearchRun

__all__ = [
    "AlternativeResult",
    "Decision",
    "DecisionRule",
    "Examination",
    "Verdict",
    "child_profile",
    "decide",
    "examine",
]

Verdict = Literal["found", "undecided", "not found"]
_CONFIRM = (
    "Have a second laboratory type the child and a relative again before anybody acts on this."
)
_EQUAL = 0.3  # log10: explanations closer than twofold are called equal
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """The rule; every figure of it is printed in the report.

    `registered`: probability, before any DNA, that the child's family is registered.
    `other_parent`: probability that one registered parent is not the biological one.
    `posterior`: least probability of the family for "found"; `doubt`: least for "undecided".
    `chance`: largest expected number of unrelated pairs of the whole search with a likelihood
    ratio as high, bounded by pairs / LR (Markov's inequality). `close_relative`: least log10 LR
    against each close-relative alternative. `examine`: most children examined pair by pair.
    """

    registered: float = 0.5
    other_parent: float = 0.02
    posterior: float = 0.999
    doubt: float = 0.1
    chance: float = 0.01
    close_relative: float = 2.0
    examine: int = 200


@dataclass(frozen=True, slots=True)
class AlternativeResult:
    """One close-relative alternative to a pair.

    `margin` is the log10 LR of the pair against it; None where the exact computation is too large.
    """

    words: str
    parent: str
    margin: float | None


@dataclass(frozen=True, slots=True)
class Examination:
    """One pair computed again, locus by locus, with its close-relative alternatives.

    `slot` is the row of the missing child in the family table.
    """

    family: Family
    slot: int
    missing: str
    profile: Profile
    story: PairStory
    alternatives: tuple[AlternativeResult, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the search says about one child.

    `candidates` and `one_parent` are rows of the run's tables for this child, best first.
    `posterior` is the probability of the best candidate's family (or, for a decision that rests on
    `one_parent`, of that pair), `unregistered` that of a family not registered, `second` that of
    the next family. `examination` is None for a child that was not examined.
    """

    child: int
    verdict: Verdict
    candidates: range
    one_parent: range
    rests_on_one_parent: bool
    posterior: float
    second: float
    unregistered: float
    headline: str
    reasons: tuple[str, ...]
    next_step: str
    examination: Examination | None = None


@dataclass(frozen=True, slots=True)
class _Weights:
    """Posterior of one child: by family, for one-parent pairs, and for no registered family."""

    family: dict[int, float]
    one_parent: NDArray[np.float64]
    unregistered: float

    @property
    def best(self) -> float:
        """Probability of the best explanation by a registered family."""
        return max([*self.family.values(), *self.one_parent.tolist()], default=0.0)


def decide(
    run: SearchRun, rule: DecisionRule | None = None, progress: Progress | None = None
) -> tuple[Decision, ...]:
    """Return a decision for every child, in the order of the run's children.

    `progress` is told how many children have been examined, of how many.
    """
    rule = rule or DecisionRule()
    full = _rows_by_child(run.candidates, len(run.children))
    single = _rows_by_child(run.one_parent, len(run.children))
    slots = max(1, int(run.families.missing.sum()))
    weights = [
        _weigh(run, rule, full[child], single[child], slots) for child in range(len(run.children))
    ]
    worth = [child for child, weight in enumerate(weights) if weight.best >= rule.doubt]
    worth.sort(key=lambda child: (-weights[child].best, child))
    chosen = set(worth[: rule.examine])
    done = 0
    decisions = []
    for child, weight in enumerate(weights):
        examined = child in chosen
        decisions.append(
            _decide_child(run, rule, child, full[child], single[child], weight, examined)
        )
        done += examined
        if examined and progress is not None:
            progress(done, len(chosen))
    return _once_each(run, decisions)


def child_profile(run: SearchRun, child: int) -> Profile:
    """Return a rescued child's profile with its typing model."""
    typing = run.children.typing.get(child, PERFECT_TYPING)
    return run.children.genotypes.profile(child, typing)


def examine(
    run: SearchRun, child: int, family: int, slot: int, *, leave_out: str = ""
) -> Examination:
    """Compute one pair again with all its close-relative alternatives.

    `slot` is the row of the missing child in the family table; `leave_out` names a relative whose
    sample does not enter the alternatives.
    """
    home = run.families.family(family)
    missing = str(run.families.person_ids[slot])
    profile = child_profile(run, child)
    story = pair_story(home, missing, profile, run.model)
    used = {
        person: seen
        for person, seen in home.profiles.items()
        if person != leave_out and (person == missing or person not in home.missing)
    }

    def log10_lr(pedigree: Pedigree) -> float | None:
        return missing_person_lr(pedigree, used, missing, profile, run.model).log10_lr

    claim = log10_lr(home.pedigree) if leave_out else story.result.log10_lr
    results = []
    for alternative in close_alternatives(home.pedigree, missing, set(used) - {missing}):
        margin: float | None
        try:
            margin = _margin(claim, log10_lr(alternative.pedigree))
        except TooLargeError:
            margin = None
        results.append(AlternativeResult(alternative.words, alternative.parent, margin))
    return Examination(home, slot, missing, profile, story, tuple(results))


def _margin(claim: float | None, other: float | None) -> float | None:
    if claim is None or other is None:
        return None
    if other == -math.inf:
        return 0.0 if claim == -math.inf else math.inf
    return claim - other


def _rows_by_child(table: Candidates, children: int) -> list[range]:
    edges = np.searchsorted(table.child, np.arange(children + 1)).tolist()
    return [range(a, b) for a, b in pairwise(edges)]


def _alone(table: Candidates, row: int) -> tuple[float, str]:
    """Return the better log10 LR with one registered parent, and which one that is."""
    father, mother = float(table.father_alone[row]), float(table.mother_alone[row])
    return (father, "father") if father > mother else (mother, "mother")


def _ratio(log10: float) -> float:
    """Return 10 to this power; beyond 300, where no decision depends on it, 10 to the 300."""
    return float(10.0 ** min(log10, 300.0))


def _weigh(run: SearchRun, rule: DecisionRule, full: range, single: range, slots: int) -> _Weights:
    """Return the posterior of every registered explanation of one child."""
    per_slot = rule.registered / slots
    by_family: defaultdict[int, float] = defaultdict(float)
    for row in full:
        weight = per_slot * _ratio(float(run.candidates.log10_lr[row]))
        by_family[int(run.candidates.family[row])] += weight
    alone = np.array([_ratio(_alone(run.one_parent, row)[0]) for row in single])
    alone *= per_slot * rule.other_parent
    nobody = 1.0 - rule.registered
    rest = per_slot * max(0, slots - len(full))
    total = nobody + rest + sum(by_family.values()) + float(alone.sum())
    return _Weights(
        {family: weight / total for family, weight in by_family.items()},
        alone / total,
        nobody / total,
    )


def _decide_child(
    run: SearchRun,
    rule: DecisionRule,
    child: int,
    full: range,
    single: range,
    weight: _Weights,
    examined: bool,
) -> Decision:
    ranked = sorted(weight.family.values(), reverse=True)
    one = float(weight.one_parent.max(initial=0.0))
    on_one_parent = one > (ranked[0] if ranked else 0.0)
    base = Decision(
        child,
        "not found",
        full,
        single,
        on_one_parent,
        one if on_one_parent else (ranked[0] if ranked else 0.0),
        ranked[1] if len(ranked) > 1 and not on_one_parent else 0.0,
        weight.unregistered,
        "",
        (),
        "",
    )
    if weight.best < rule.doubt:
        return _not_found(run, base)
    if not examined:
        return replace(
            base,
            verdict="undecided",
            headline="There is a candidate that has not been examined yet.",
            reasons=(f"This report examines the {rule.examine} strongest children pair by pair.",),
            next_step="Examine the best candidate with `kinward explain`.",
        )
    if on_one_parent:
        return _one_parent(run, rule, base, int(np.argmax(weight.one_parent)))
    return _examined(run, rule, base)


def _not_found(run: SearchRun, base: Decision) -> Decision:
    count = len(base.candidates) + len(base.one_parent)
    if count:
        pairs = "one pair" if count == 1 else f"{count} pairs"
        reasons = (
            f"{pairs.capitalize()} passed the search threshold, none strong enough to stand out "
            "from what chance brings among so many families.",
        )
    else:
        reasons = ("No registered family reached the search threshold.",)
    return replace(
        base,
        headline="No registered family explains this child's DNA well.",
        reasons=(
            *reasons,
            f"That the family is not registered has a probability of "
            f"{percent_words(base.unregistered)}.",
        ),
        next_step="Keep the profile in the search: every family that registers is compared anew.",
    )


def _one_parent(run: SearchRun, rule: DecisionRule, base: Decision, which: int) -> Decision:
    """Tell the story of a pair in which one registered parent fits and the other does not."""
    table, row = run.one_parent, base.one_parent[which]
    alone, fits = _alone(table, row)
    other = "mother" if fits == "father" else "father"
    family, slot = int(table.family[row]), int(table.slot[row])
    home = run.families.pedigree(family)
    person = home.people[home.index[str(run.families.person_ids[slot])]]
    left_out = person.mother if fits == "father" else person.father
    examination = examine(run, base.child, family, slot, leave_out=left_out or "")
    result = examination.story.result
    reasons = [
        f"With the {fits} alone the DNA is {ratio_words(alone)} times more likely if the child is "
        f"this missing child than if it is unrelated.",
        f"With both registered parents it does not fit at {result.exclusions} of {result.loci} "
        f"loci: the registered {other} may not be the biological one.",
        *(_against(alternative, rule)[1] for alternative in examination.alternatives),
        f"Many single {fits}s were compared, so that a chance match is possible as well.",
    ]
    step = (
        f"Speak with the {fits} in confidence before anybody else is told; then type more loci in "
        f"the child and the {fits}"
        + (", and mitochondrial DNA." if fits == "mother" else ", and Y or X markers.")
    )
    return replace(
        base,
        verdict="undecided",
        headline=f"The registered {fits} fits, the registered {other} does not.",
        reasons=tuple(reasons),
        next_step=step,
        examination=examination,
    )


def _examined(run: SearchRun, rule: DecisionRule, base: Decision) -> Decision:
    row = _best_row(run, base)
    table = run.candidates
    examination = examine(run, base.child, int(table.family[row]), int(table.slot[row]))
    log10_lr = float(table.log10_lr[row])
    chance = run.pairs / _ratio(log10_lr)
    good: list[str] = []
    open_points: list[str] = []

    def weigh(passed: bool, sentence: str) -> None:
        (good if passed else open_points).append(sentence)

    good.append(
        f"The DNA is {ratio_words(log10_lr)} times more likely if the child is this missing child "
        "than if it is unrelated."
    )
    weigh(
        base.posterior >= rule.posterior,
        f"Among all registered families and the possibility that the family is not registered, "
        f"this family has a probability of {percent_words(base.posterior)}, by DNA alone"
        + (f"; the next one has {percent_words(base.second)}." if base.second > 1e-6 else "."),
    )
    weigh(
        chance <= rule.chance,
        f"Among the {run.pairs:,} pairs compared, fewer than {chance_words(chance)} unrelated ones "
        "are expected to reach such a figure by chance.",
    )
    for alternative in examination.alternatives:
        weigh(*_against(alternative, rule))
    sex_conflict = bool(table.sex_conflict[row])
    if sex_conflict:
        open_points.append("The child's sex differs from that recorded for the missing child.")
    good += _remarks(run, base, row, examination)
    verdict: Verdict = "undecided" if open_points else "found"
    return replace(
        base,
        verdict=verdict,
        headline=_headline(verdict),
        reasons=(*open_points, *good),
        next_step=_CONFIRM if verdict == "found" else _next_step(examination, sex_conflict),
        examination=examination,
    )


def _headline(verdict: Verdict) -> str:
    if verdict == "found":
        return (
            "The DNA points to this family alone and speaks against the close relatives considered."
        )
    return "One family stands out, but the DNA so far does not settle it."


def _best_row(run: SearchRun, base: Decision) -> int:
    """Return the first row of the best ratio, of equal ones the first without a sex conflict."""
    table = run.candidates
    best = float(table.log10_lr[base.candidates[0]])
    equal = [row for row in base.candidates if float(table.log10_lr[row]) > best - 1e-9]
    return next((row for row in equal if not table.sex_conflict[row]), equal[0])


def _against(alternative: AlternativeResult, rule: DecisionRule) -> tuple[bool, str]:
    margin, claim = alternative.margin, f"If instead {alternative.words}, the DNA is"
    if margin is None:
        return False, f"Whether {alternative.words} could not be computed exactly."
    if margin >= rule.close_relative:
        return True, f"{claim} {ratio_words(margin)} times less likely."
    if margin > _EQUAL:
        return False, f"{claim} only {ratio_words(margin)} times less likely: not refuted."
    if margin < -_EQUAL:
        return False, f"{claim} {ratio_words(-margin)} times more likely."
    return False, f"{claim} about as likely: the samples cannot tell the two apart."


def _remarks(run: SearchRun, base: Decision, row: int, examination: Examination) -> list[str]:
    remarks = []
    story = examination.story
    mutated = [one.locus for one in story.result.per_locus if one.exclusion and one.lr]
    if mutated:
        remarks.append(
            f"At {', '.join(mutated)} the alleles fit only with a mutation, which the figure takes "
            "into account."
        )
    table = run.candidates
    family = int(table.family[row])
    same = [r for r in base.candidates if int(table.family[r]) == family]
    if len(same) > 1 and abs(float(table.log10_lr[same[0]] - table.log10_lr[same[1]])) < 1:
        remarks.append(
            "Several children of this family are missing; the DNA does not tell which of them this "
            "is, so age and sex must."
        )
    for finding in run.findings:
        if finding.family == family:
            remarks.append(
                f"The family's own samples contradict each other at {', '.join(finding.loci)} "
                "unless a mutation is assumed: check the recorded relationships."
            )
    return remarks


def _next_step(examination: Examination, sex_conflict: bool) -> str:
    """Name the sample or typing that would resolve an open case."""
    sentences = [_sample_to_take(examination)]
    if sex_conflict:
        sentences.append("Type amelogenin of the child again and check the family's record of sex.")
    return " ".join(sentences)


def _sample_to_take(examination: Examination) -> str:
    pedigree = examination.family.pedigree
    child = pedigree.people[pedigree.index[examination.missing]]
    parents = {"father": child.father, "mother": child.mother}
    sampled = [role for role, name in parents.items() if name in examination.family.profiles]
    if len(sampled) == 1:
        role = sampled[0]
        other = "mother" if role == "father" else "father"
        return (
            f"Take a sample from {_who(other, parents[other])}; if that is impossible, type more "
            f"loci in the child and {_who(role, parents[role])}, or sample the {role}'s parents."
        )
    if not sampled:
        names = " or ".join(_who(role, name) for role, name in parents.items())
        return (
            f"Take a sample from {names}; if that is impossible, from further full siblings of the "
            "child or from grandparents."
        )
    return (
        "Type more loci in the child and both parents, or take samples from the brothers and "
        "sisters of the parent in question."
    )


def _who(role: str, name: str | None) -> str:
    """Name a parent by role, and by id where that says more."""
    return f"the {role}" if name is None or name == role else f"the {role} ({name})"


def _once_each(run: SearchRun, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Reopen families to which more children were assigned than are missing."""
    homes: Counter[int] = Counter()
    for decision in decisions:
        if decision.verdict == "found":
            homes[_family(run, decision)] += 1
    checked = []
    for decision in decisions:
        if decision.verdict == "found":
            family = _family(run, decision)
            first, stop = run.families.first[family], run.families.first[family + 1]
            missing = int(run.families.missing[first:stop].sum())
            if homes[family] > missing:
                decision = replace(
                    decision,
                    verdict="undecided",
                    headline="More children fit this family than it misses.",
                    reasons=(
                        f"{homes[family]} children fit this family, which misses {missing}: one "
                        "child may be registered twice, or be a twin.",
                        *decision.reasons,
                    ),
                    next_step="Compare these children with each other, and check their records.",
                )
        checked.append(decision)
    return tuple(checked)


def _family(run: SearchRun, decision: Decision) -> int:
    return int(run.candidates.family[decision.candidates[0]])
