"""Mistakes that other kinship programs make, or once made, and that this engine must not."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from kinward.errors import PedigreeError
from kinward.likelihood.missing import MissingPersonResult, missing_person_lr
from kinward.model.locus_model import GeneticModel
from kinward.model.mutation import default_mutation, parse_mutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import FrequencyTable
from kinward.model.profile import Genotype, Profile

TABLE = FrequencyTable.build(
    "test",
    {
        "vWA": {"14": 0.1, "15": 0.2, "16": 0.3, "17": 0.4},
        "TH01": {"6": 0.25, "7": 0.25, "9": 0.25, "9.3": 0.25},
        "FGA": {"20": 0.5, "21": 0.3, "22": 0.2},
    },
)
PARENTS = [Person("father", sex="male"), Person("mother", sex="female")]
TRIO = Pedigree.build([*PARENTS, Person("missing", "father", "mother")])
COUSINS = Pedigree.build(
    [
        Person("gf", sex="male"),
        Person("gm", sex="female"),
        Person("uncle", "gf", "gm", "male"),
        Person("father", "gf", "gm", "male"),
        Person("aunt", sex="female"),
        Person("mother", sex="female"),
        Person("cousin", "uncle", "aunt"),
        Person("missing", "father", "mother"),
    ]
)


def profile(**cells: str) -> Profile:
    return Profile({locus: Genotype(tuple(cell.split("/"))) for locus, cell in cells.items()})


def model(mutation: str = "none", theta: float = 0.0) -> GeneticModel:
    return GeneticModel.build(TABLE, parse_mutation(mutation), theta=theta)


def compare(
    relatives: dict[str, Profile],
    child: Profile,
    genetic_model: GeneticModel,
    pedigree: Pedigree = TRIO,
) -> MissingPersonResult:
    return missing_person_lr(pedigree, relatives, "missing", child, genetic_model)


def test_an_exclusion_is_never_scored_as_one() -> None:
    father = profile(vWA="14/14", TH01="6/7")
    result = compare({"father": father}, profile(vWA="15/16", TH01="6/7"), model())
    by_locus = {one.locus: one for one in result.per_locus}
    assert by_locus["vWA"].lr == 0
    assert by_locus["vWA"].exclusion
    assert not by_locus["TH01"].exclusion
    assert result.log10_lr == -math.inf
    assert (result.loci, result.exclusions) == (2, 1)


def test_with_mutation_an_exclusion_still_counts_and_weighs() -> None:
    result = compare({"father": profile(vWA="14/14")}, profile(vWA="15/16"), model("equal:0.002"))
    assert result.exclusions == 1
    assert result.log10_lr == pytest.approx(math.log10(0.002 / 3 * 0.5 / 0.12), rel=1e-2)


def test_a_locus_with_an_unlisted_allele_is_not_discarded() -> None:
    father, child = profile(vWA="14/21", TH01="6/7"), profile(vWA="16/21", TH01="6/7")
    added = GeneticModel.build(TABLE, parse_mutation("none"), seen={"vWA": ["21"]})
    assert added.added == {"vWA": {"21": 0.001}}
    result = compare({"father": father}, child, added)
    by_locus = {one.locus: one.lr for one in result.per_locus}
    assert by_locus["vWA"] == pytest.approx(0.25 / 0.001, rel=1e-12)
    assert result.loci == 2


def test_founder_inbreeding_belongs_to_both_hypotheses() -> None:
    """An inbred father's own genotype weighs alike in numerator and denominator."""
    inbred = Pedigree.build(
        [
            Person("father", sex="male", founder_inbreeding=0.25),
            PARENTS[1],
            Person("missing", "father", "mother"),
        ]
    )
    relatives, child = {"father": profile(vWA="14/14")}, profile(vWA="14/16")
    plain = compare(relatives, child, model()).log10_lr
    assert compare(relatives, child, model(), inbred).log10_lr == pytest.approx(plain, rel=1e-12)


def test_theta_joins_the_components_of_the_denominator() -> None:
    """Balding-Nichols by hand: father 14/15, child 14/16, theta .03."""
    theta = 0.03

    def draw(count: int, total: int, frequency: float) -> float:
        return (count * theta + (1 - theta) * frequency) / (1 + (total - 1) * theta)

    related = 0.5 * draw(0, 2, 0.3)
    unrelated = 2 * draw(1, 2, 0.1) * draw(0, 3, 0.3)
    result = compare({"father": profile(vWA="14/15")}, profile(vWA="14/16"), model(theta=theta))
    assert result.per_locus[0].lr == pytest.approx(related / unrelated, rel=1e-12)


@pytest.mark.parametrize("mutation", ["none", "equal:0.002", "stepwise:0.002"])
def test_theta_for_first_cousins_on_26_alleles_is_fast(mutation: str) -> None:
    frequencies = np.arange(1.0, 27.0)
    frequencies /= frequencies.sum()
    table = FrequencyTable.build(
        "wide", {"FGA": {str(17 + i): float(p) for i, p in enumerate(frequencies)}}
    )
    wide = GeneticModel.build(table, parse_mutation(mutation), theta=0.02)
    relatives, child = {"cousin": profile(FGA="20/30")}, profile(FGA="30/41")
    first = compare(relatives, child, wide, COUSINS)
    start = time.perf_counter()
    for _ in range(5):
        again = compare(relatives, child, wide, COUSINS)
    assert (time.perf_counter() - start) / 5 < 0.1  # about 1 ms on a quiet machine
    assert again.log10_lr == first.log10_lr
    if mutation == "none":
        # First cousins share one allele by descent with probability 1/4 at this pair.
        p = dict(zip(map(str, range(17, 43)), frequencies, strict=True))
        theta = 0.02

        def draw(count: int, total: int, frequency: float) -> float:
            return (count * theta + (1 - theta) * frequency) / (1 + (total - 1) * theta)

        shared = 0.5 * draw(0, 2, p["41"])
        expected = 0.75 + 0.25 * shared / (2 * draw(1, 2, p["30"]) * draw(0, 3, p["41"]))
        assert first.per_locus[0].lr == pytest.approx(expected, rel=1e-11)


def test_a_denominator_of_zero_names_the_locus_and_gives_no_ratio() -> None:
    """Relatives that contradict each other are no evidence about a child, for or against."""
    family = Pedigree.build(
        [*PARENTS, Person("sister", "father", "mother"), Person("missing", "father", "mother")]
    )
    relatives = {
        "father": profile(vWA="14/14", TH01="6/7"),
        "mother": profile(vWA="15/15", TH01="6/7"),
        "sister": profile(vWA="16/17", TH01="6/7"),
    }
    result = compare(relatives, profile(vWA="14/15", TH01="6/6"), model(), family)
    assert result.inconsistent == ("vWA",)
    assert result.log10_lr is None
    assert next(one.lr for one in result.per_locus if one.locus == "vWA") is None


def test_a_monozygotic_twin_is_the_person() -> None:
    family = Pedigree.build(
        [
            *PARENTS,
            Person("missing", "father", "mother", "male", twin="A"),
            Person("twin", "father", "mother", "male", twin="A"),
        ]
    )
    result = compare({"twin": profile(vWA="14/15")}, profile(vWA="14/15"), model(), family)
    assert result.per_locus[0].lr == pytest.approx(1 / (2 * 0.1 * 0.2), rel=1e-12)
    other = compare({"twin": profile(vWA="14/15")}, profile(vWA="14/14"), model(), family)
    assert other.log10_lr == -math.inf


def test_a_marriage_loop_is_counted_once() -> None:
    """The child of a father and his daughter: P(A/A | father A/B) by hand."""
    loop = Pedigree.build(
        [
            *PARENTS,
            Person("daughter", "father", "mother", "female"),
            Person("missing", "father", "daughter"),
        ]
    )
    result = compare({"father": profile(vWA="14/15")}, profile(vWA="14/14"), model(), loop)
    # The daughter hands on 14 from the father (1/4) or from the mother (1/2 of frequency .1).
    expected = 0.5 * (0.25 + 0.5 * 0.1) / 0.1**2
    assert result.per_locus[0].lr == pytest.approx(expected, rel=1e-12)


def test_a_person_with_two_mothers_is_refused() -> None:
    with pytest.raises(PedigreeError, match="recorded as female"):
        Pedigree.build(
            [
                Person("mother", sex="female"),
                Person("other", sex="female"),
                Person("child", "other", "mother"),
            ]
        )


def test_an_item_of_the_missing_child_is_compared_directly() -> None:
    child = profile(vWA="14/15")
    result = compare({"missing": child}, child, model())
    assert result.per_locus[0].lr == pytest.approx(1 / (2 * 0.1 * 0.2), rel=1e-12)


def test_others_missing_are_left_untyped() -> None:
    family = Pedigree.build(
        [*PARENTS, Person("brother", "father", "mother"), Person("missing", "father", "mother")]
    )
    relatives = {"father": profile(vWA="14/15"), "brother": profile(vWA="14/17")}
    child = profile(vWA="15/16")
    with_item = missing_person_lr(
        family, relatives, "missing", child, model(), others_missing=["brother"]
    )
    without = missing_person_lr(family, {"father": relatives["father"]}, "missing", child, model())
    assert with_item.log10_lr == without.log10_lr


def test_a_true_child_survives_one_mutation_by_default() -> None:
    """Without mutation one step at one locus would lose the family for ever."""
    kind = GeneticModel.build(TABLE, default_mutation())
    relatives = {"father": profile(vWA="14/15"), "mother": profile(vWA="15/15")}
    result = compare(relatives, profile(vWA="15/16"), kind)
    assert result.exclusions == 1
    assert -4 < (result.log10_lr or 0) < 0


def test_a_locus_typed_in_the_child_alone_says_next_to_nothing() -> None:
    """Without mutation exactly nothing; it does not count as compared."""
    child = profile(vWA="14/15", FGA="20/21")
    for mutation, tolerance in (("none", 1e-12), ("equal:0.002", 0.01)):
        result = compare({"father": profile(vWA="14/15")}, child, model(mutation))
        by_locus = {one.locus: one for one in result.per_locus}
        assert by_locus["FGA"].lr == pytest.approx(1.0, rel=tolerance)
        assert [one.compared for one in result.per_locus] == [True, False]
        assert result.loci == 1
