"""An index answers what a search answers, for every kind of family and after every update."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from registry_strategies import KINDS, LISTED, Features, Registry, build, features

from kinward.errors import ModelError, TooLargeError
from kinward.model.mutation import parse_mutation
from kinward.model.population import FrequencyTable
from kinward.model.registry import ChildTable, FamilyTable, GenotypeColumns
from kinward.search import chance, index, index_part
from kinward.search.engine import prepare_model, search
from kinward.search.index import FamilyIndex, Matches
from kinward.search.record import Candidates

SLOW_IS_FINE = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,
]
THRESHOLDS = (-300.0, -6.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0)
ROUNDING = 1e-9
STEPWISE = "stepwise:male=0.02,female=0.01,rate2=0.001,range=0.1"
Figures = dict[tuple[str, str, str], tuple[float, ...]]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance matches play no part here."""
    monkeypatch.setattr(chance, "SLOTS_PER_CLASS", 1)
    monkeypatch.setattr(chance, "DRAWS_PER_SLOT", 2)


def figures(children: ChildTable, found: Matches | Candidates, families: FamilyTable) -> Figures:
    """Return the figures of every pair by the names of those concerned."""
    if isinstance(found, Candidates):
        names = families.family_ids[found.family], families.person_ids[found.slot]
    else:
        names = found.family, found.missing
    rows = zip(
        found.log10_lr, found.father_alone, found.mother_alone, found.loci, found.exclusions,
        found.sex_conflict, strict=True,
    )  # fmt: skip
    keys = zip(children.ids[found.child], *names, strict=True)
    return dict(zip(keys, rows, strict=True))


def same(mine: Figures, theirs: Figures, threshold: float) -> None:
    """Same pairs and figures, but for pairs whose figures lie at the threshold itself."""
    for key in mine.keys() ^ theirs.keys():
        at = np.array((mine.get(key) or theirs[key])[:3], dtype=np.float64)
        assert np.nanmin(np.abs(at - threshold)) < ROUNDING, key
    for key in mine.keys() & theirs.keys():
        np.testing.assert_allclose(mine[key], theirs[key], rtol=0, atol=ROUNDING)


def check(found: FamilyIndex, registry: Registry, families: FamilyTable, threshold: float) -> None:
    children = registry.children
    answer = found.search(children, min_log10_lr=threshold)
    run = search(children, families, registry.model, min_log10_lr=threshold)
    for mine, theirs in (
        (answer.candidates, run.candidates),
        (answer.one_parent, run.one_parent),
    ):
        same(figures(children, mine, families), figures(children, theirs, families), threshold)
        keys = list(zip(mine.child.tolist(), (-mine.log10_lr).tolist(), strict=True))
        assert keys == sorted(keys)


def indexed(registry: Registry, families: FamilyTable | None = None) -> FamilyIndex:
    table = registry.families if families is None else families
    return FamilyIndex.build(table, lambda _: registry.model)


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(features(), st.sampled_from(THRESHOLDS))
def test_any_registry(wanted: Features, threshold: float) -> None:
    try:
        registry = build(wanted)
        check(indexed(registry), registry, registry.families, threshold)
    except (ModelError, TooLargeError):
        assume(False)


@pytest.mark.parametrize(
    "wanted",
    [
        Features((), mutation=STEPWISE, loci=9),
        Features((), mutation=STEPWISE, untyped=0.4, half_typed=0.2),
        Features((), mutation="none", astray=0.15, untyped=0.0),
        Features((), mutation="onestep:0.02", fallible=0.3),
        Features((), mutation="proportional:0.02", silent=0.05, fallible=0.1, half_typed=0.1),
        Features((), mutation="equal:0.02", inbred=True, unlisted=True, astray=0.1),
        Features((), mutation="equal:0.02", theta=0.03, loci=2, half_typed=0.1),
    ],
    ids=lambda wanted: f"{wanted.mutation.partition(':')[0]}-{wanted.theta}-{wanted.silent}",
)
def test_every_kind_of_family(wanted: Features) -> None:
    registry = build(replace(wanted, kinds=tuple(KINDS), children=8, seed=7))
    found = indexed(registry)
    for threshold in (-300.0, -1.0, 0.5):
        check(found, registry, registry.families, threshold)


@pytest.mark.parametrize("span", [64, 1 << 17])
def test_many_words_and_spans(span: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_part, "SPAN", span)
    kinds = ("father", "mother", "parents", "sibs", "parents and sib", "mother and sibs")
    registry = build(Features(kinds, children=5, loci=8, mutation=STEPWISE, seed=3)).repeated(51)
    for threshold in (-300.0, 0.0, 1.0):
        check(indexed(registry), registry, registry.families, threshold)


def test_more_families_than_one_step_holds() -> None:
    slots = index_part.index_scan.WORDS * 64 + 100
    registry = build(Features(("father", "parents"), children=4, loci=6, seed=5)).repeated(slots)
    check(indexed(registry), registry, registry.families, 1.0)


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(
    features(),
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from((0, 3, 2000)),
    st.sampled_from((-6.0, 0.0, 1.0)),
)
def test_any_updates(
    wanted: Features, updates: list[list[int]], merge: int, threshold: float
) -> None:
    """Families come, change and go; another registry lends the changed ones their members."""
    try:
        registry, other = (build(replace(wanted, seed=wanted.seed + k)) for k in (0, 1))
        families = registry.families
        everything = FamilyTable.joined([families, other.families])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index, "SMALLEST_MERGE", merge)
            found = indexed(registry)
            for number, places in enumerate(updates):
                known = sorted({place % len(families) for place in places})
                before = found
                answer = before.search(registry.children, min_log10_lr=threshold)
                if number % 3 == 2:
                    held = [str(name) for name in found.families().family_ids]
                    found = found.without(held[: min(len(known), len(held) - 1)])
                else:
                    # Same ids, other people; or one more family of a new name.
                    changed = other.families.take(np.array(known))
                    if number % 2:
                        changed = replace(changed, family_ids=changed.family_ids + "x")
                    found = found.with_families(changed)
                check(found, registry, found.families(), threshold)
                again = before.search(registry.children, min_log10_lr=threshold)
                np.testing.assert_array_equal(answer.candidates.log10_lr, again.candidates.log10_lr)
        assert len(everything) == 2 * len(families)
    except (ModelError, TooLargeError):
        assume(False)


def test_updates_by_name() -> None:
    registry = build(Features(("father", "parents", "sibs", "two missing"), children=4, seed=9))
    found = indexed(registry)
    assert len(found) == 4
    assert list(found.without(["F1"]).families().family_ids) == ["F0", "F2", "F3"]
    changed = found.with_families(registry.families.take(np.array([2, 0])))
    assert sorted(changed.families().family_ids) == ["F0", "F1", "F2", "F3"]
    assert len(found.without(["F0", "F1", "F2", "F3"])) == 0
    empty = found.without(["F0", "F1", "F2", "F3"])
    assert len(empty.search(registry.children, min_log10_lr=-300.0).candidates) == 0
    nobody = registry.families.take(np.zeros(0, dtype=np.int64))
    first = indexed(registry, nobody)
    assert len(first) == len(first.search(registry.children, min_log10_lr=-300.0).candidates) == 0
    check(first.with_families(registry.families), registry, registry.families, -300.0)
    assert len(found.with_families(nobody)) == 4
    with pytest.raises(KeyError, match="F9"):
        found.without(["F9"])
    with pytest.raises(ModelError, match="not a number"):
        found.search(registry.children, min_log10_lr=float("nan"))


def of_table(seed: int, unlisted: bool = True) -> tuple[Registry, FrequencyTable]:
    wanted = Features(
        ("father", "parents", "sibs", "mother and sibs", "uncle"),
        children=8, mutation="equal:0.02", unlisted=unlisted, untyped=0.0, seed=seed,
    )  # fmt: skip
    weights = dict.fromkeys(LISTED, 0.25)
    table = FrequencyTable.build(
        "test", {f"L{i}": weights for i in range(4)}, allow_unknown_loci=True
    )
    return build(wanted), table


@pytest.mark.parametrize("seed", range(4))
def test_alleles_that_only_a_child_shows(seed: int) -> None:
    """Each child's answer is that of a search for it alone, its own alleles in the model."""
    registry, table = of_table(seed)
    families = of_table(seed + 100, unlisted=seed % 2 == 1)[0].families
    mutation = parse_mutation("equal:0.02")
    found = FamilyIndex.of(families, table, mutation)
    for threshold in (-300.0, 0.0, 1.0):
        answer = found.search(registry.children, min_log10_lr=threshold)
        mine = figures(registry.children, answer.candidates, families)
        theirs: Figures = {}
        for child in range(len(registry.children)):
            alone = ChildTable(
                registry.children.ids[child : child + 1],
                registry.children.sex[child : child + 1],
                GenotypeColumns.joined([registry.children.genotypes.take(slice(child, child + 1))]),
            )
            model = prepare_model(alone, families, table, mutation).model
            run = search(alone, families, model, min_log10_lr=threshold)
            theirs |= figures(alone, run.candidates, families)
        same(mine, theirs, threshold)


def test_model_follows_the_alleles_of_the_families() -> None:
    """An allele without a frequency comes with a family and goes with it."""
    registry, table = of_table(1)
    listed = of_table(101, unlisted=False)[0].families
    mutation = parse_mutation("equal:0.02")
    first = FamilyIndex.of(listed, table, mutation)
    assert not first.model.added
    guest = replace(registry.families, family_ids=registry.families.family_ids + "guest")
    second = first.with_families(guest)
    assert second.model.added
    assert len(second) == len(listed) + len(guest)
    for found in (second, second.without([str(name) for name in guest.family_ids])):
        fresh = FamilyIndex.of(found.families(), table, mutation)
        assert found.model.digest() == fresh.model.digest()
        for mine, theirs in zip(
            (found.search(registry.children, min_log10_lr=-300.0).candidates,),
            (fresh.search(registry.children, min_log10_lr=-300.0).candidates,),
            strict=True,
        ):
            same(
                figures(registry.children, mine, listed),
                figures(registry.children, theirs, listed),
                -300.0,
            )
    with pytest.raises(ModelError, match="share no locus"):
        FamilyIndex.of(listed, FrequencyTable.build("other", {"TH01": {"9": 1.0}}), mutation)
