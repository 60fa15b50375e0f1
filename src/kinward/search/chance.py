"""How many unrelated pairs reach the threshold by chance?

For a likelihood ratio under the right model P(LR >= t | unrelated) = E[1/LR ; LR >= t | related]
(Good 1950): drawing children from what a family's relatives predict makes rare events common, and
weighting with 1/LR makes the count right. Half of the draws come from the population instead, so
that low thresholds are predicted as well; both halves together carry the weight
1 / (1/2 + LR/2) (importance sampling from a mixture with the balance heuristic, Veach and Guibas
1995, doi:10.1145/218380.218498). The prediction holds inside the population that the frequencies
describe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kinward.model.locus_model import GeneticModel
from kinward.search.child_rows import ChildRows, child_rows, every_genotype
from kinward.search.labels import slot_labels
from kinward.search.parent_tables import ParentTables
from kinward.search.posterior_table import TableBuilder, group_slots
from kinward.search.rank import Hits, PairScorer
from kinward.search.record import ChanceMatches

__all__ = ["ChancePrediction", "chance_matches"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SLOTS_PER_CLASS = 300
DRAWS_PER_SLOT = 200


@dataclass(frozen=True, slots=True, eq=False)
class _ClassSample:
    """Simulated children of sampled slots of one class, (slots, draws).

    `log10_density` is how much likelier a draw is given the relatives than in the population: the
    log10 LR but for theta, with which an unrelated child of the same subpopulation is meant.
    """

    family_class: str
    one_parent: str
    members: IntArray
    log10_lr: FloatArray
    log10_density: FloatArray

    def expected(self, threshold: float, children: int) -> tuple[float, float]:
        """Return the expected number of chance matches and its standard error."""
        with np.errstate(over="ignore"):
            weight = 2.0 / (1.0 + 10.0**self.log10_density)
        weight = np.where(self.log10_lr >= threshold, weight, 0.0)
        per_slot = weight.mean(axis=1)
        pairs = children * len(self.members)
        error = per_slot.std(ddof=1) / np.sqrt(len(per_slot)) if len(per_slot) > 1 else 0.0
        return pairs * float(per_slot.mean()), pairs * float(error)


@dataclass(frozen=True, slots=True, eq=False)
class ChancePrediction:
    """Predictions for all family classes of a run, at any threshold."""

    samples: tuple[_ClassSample, ...]
    children: int

    def threshold(self, expected_false: float) -> float:
        """Return the smallest log10 LR at which at most this many chance matches are expected.

        Counts the comparisons with all relatives; found by bisection to 0.001.
        """
        low, high = -10.0, 60.0
        while high - low > 1e-3:
            middle = (low + high) / 2
            if self._total(middle) > expected_false:
                low = middle
            else:
                high = middle
        return round(high, 3)

    def _total(self, threshold: float) -> float:
        return sum(
            sample.expected(threshold, self.children)[0]
            for sample in self.samples
            if not sample.one_parent
        )

    def beside_found(
        self, threshold: float, full: Hits, alone: dict[str, Hits]
    ) -> tuple[ChanceMatches, ...]:
        """Return the predictions beside what the search found."""
        result = []
        for sample in self.samples:
            hits = alone[sample.one_parent] if sample.one_parent else full
            expected, error = sample.expected(threshold, self.children)
            result.append(
                ChanceMatches(
                    sample.family_class,
                    sample.one_parent,
                    len(sample.members),
                    expected,
                    error,
                    int(np.isin(hits.slot, sample.members).sum()),
                )
            )
        return tuple(result)


def chance_matches(scorer: PairScorer, model: GeneticModel, *, seed: int) -> ChancePrediction:
    """Sample the distribution of LR for every family class; `seed` fixes the draws."""
    random = np.random.default_rng(seed)
    everybody = every_genotype(model)
    rows = child_rows(everybody, model, tuple(model.loci))
    columns = scorer.columns.tolist()
    tables = ParentTables.build(scorer.families, model, rows, columns)
    predicted = PairScorer(
        everybody,
        scorer.families,
        scorer.slots,
        rows,
        tables,
        TableBuilder(scorer.families, model, rows, columns),
        scorer.plain,
        scorer.columns,
    )
    typed = scorer.rows.rows >= 0
    samples = []
    for label, members in slot_labels(scorer.families, scorer.slots, scorer.columns).items():
        sampled = random.permutation(members)[:SLOTS_PER_CLASS]
        ratios = _all_ratios(predicted, sampled)
        samples.append(_ClassSample(label, "", members, *_draw(ratios, rows, typed, random)))
        both = scorer.slots.father_typed[sampled] & scorer.slots.mother_typed[sampled]
        if both.all():
            for side in ("father", "mother"):
                ratios = _alone_ratios(predicted, sampled, father=side == "father")
                drawn = _draw(ratios, rows, typed, random)
                samples.append(_ClassSample(label, side, members, *drawn))
    return ChancePrediction(tuple(samples), len(scorer.children))


def _all_ratios(predicted: PairScorer, sampled: IntArray) -> list[FloatArray]:
    """Return T of every genotype per locus, (rows, slots)."""
    coded = predicted.slots.coded[sampled]
    result = [np.empty((len(r), len(sampled))) for r in predicted.rows.per_locus]
    here = np.flatnonzero(coded)
    for locus, out in enumerate(result):
        out[:, here] = predicted.coded_table(locus, sampled[here])
    order = np.argsort(sampled, kind="stable")
    for group in group_slots(predicted.families, predicted.slots, sampled[~coded]):
        place = order[np.searchsorted(sampled[order], group.slots)]
        for locus, out in enumerate(result):
            ratios, _ = predicted.builder.tables(group, locus)
            out[:, place] = np.where(np.isnan(ratios), 0.0, ratios)
    return result


def _alone_ratios(predicted: PairScorer, sampled: IntArray, *, father: bool) -> list[FloatArray]:
    return [
        predicted.alone_table(locus, sampled, father=father)
        for locus in range(len(predicted.columns))
    ]


def _draw(
    ratios: Sequence[FloatArray],
    rows: ChildRows,
    typed: NDArray[np.bool_],
    random: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Draw children and return their log10 LR and log10 density ratio, (slots, draws).

    The first half of the draws comes from P(genotype | relatives), the second from the
    population. Each drawn child is typed at the loci of a child of the search taken at random.
    """
    half = DRAWS_PER_SLOT // 2
    total = np.zeros((ratios[0].shape[1], DRAWS_PER_SLOT))
    excess = np.zeros_like(total)
    pattern = typed[random.integers(len(typed), size=total.shape)]
    for locus, ratio in enumerate(ratios):
        chance = rows.per_locus[locus].chance
        related = np.cumsum(ratio * chance[:, None], axis=0)
        unrelated = np.cumsum(chance)
        point = random.random(total.shape)
        with np.errstate(divide="ignore"):
            log_ratio = np.log10(ratio)
            # One without theta, if the frequencies sum to one.
            sums = np.where(related[-1] > 0, related[-1] / unrelated[-1], 1.0)
        excess += np.where(pattern[:, :, locus], np.log10(sums)[:, None], 0.0)
        _look_up(related, unrelated, point, half, log_ratio, pattern[:, :, locus], total)
    return total, total - excess


@njit(cache=True, nogil=True, error_model="numpy")
def _look_up(related, unrelated, point, half, log_ratio, typed, total):  # type: ignore[no-untyped-def]
    """Add log10 T of the row that each point of (slots, draws) falls on, where typed.

    `related` (rows, slots) and `unrelated` (rows,) are cumulated chances, of which the first
    `half` of the draws use the former; points go from 0 to 1.
    """
    rows, slots = related.shape
    for slot in range(slots):
        mine = related[:, slot].copy()
        for draw in range(point.shape[1]):
            if typed[slot, draw]:
                chances = mine if draw < half else unrelated
                row = np.searchsorted(chances, point[slot, draw] * chances[-1], side="right")
                total[slot, draw] += log_ratio[min(row, rows - 1), slot]
