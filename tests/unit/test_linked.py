"""Pairs of linked loci: cases that can be computed by hand, and what is refused."""

from __future__ import annotations

import math
from itertools import product
from time import perf_counter

import numpy as np
import pytest

from kinward.errors import ModelError, TooLargeError
from kinward.likelihood import linked
from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.linked import haldane, kosambi, linked_pair_likelihood
from kinward.likelihood.run import locus_likelihood
from kinward.model.locus_model import LocusModel
from kinward.model.mutation import CustomMutation, NoMutation, SexMutation, StepwiseMutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import LocusFrequencies
from kinward.model.profile import Genotype

PARENTS = [Person("F", sex="male"), Person("M", sex="female")]
CHILD = Person("C", "F", "M", "male")
FAMILY = Genomes.of(Pedigree.build([*PARENTS, CHILD, Person("S", "F", "M", "female")]))


def locus(name: str, alleles: str, frequencies: tuple[float, ...], **more: object) -> LocusModel:
    listed = LocusFrequencies(tuple(alleles), np.array(frequencies), None)
    return LocusModel.build(name, listed, SexMutation(NoMutation(), NoMutation()), **more)  # type: ignore[arg-type]


def evidence(genomes: Genomes, **typed: str) -> dict[int, tuple[Observation, ...]]:
    return {
        genomes.of_person[person]: (Observation(Genotype(tuple(alleles))),)
        for person, alleles in typed.items()
    }


LOCUS_A = locus("A", "12", (0.3, 0.7))
LOCUS_B = locus("B", "12", (0.4, 0.6))


def test_map_functions() -> None:
    assert haldane(0) == kosambi(0) == 0
    for cm in (0.1, 11.94, 80.0):
        r = haldane(cm)
        assert -50 * math.log(1 - 2 * r) == pytest.approx(cm)
        r = kosambi(cm)
        assert 25 * math.log((1 + 2 * r) / (1 - 2 * r)) == pytest.approx(cm)
    assert haldane(1000) == pytest.approx(0.5)
    with pytest.raises(ModelError, match="0 or more"):
        kosambi(-1)


@pytest.mark.parametrize(("typed_parent", "other", "fraction"), [("F", "M", 0.1), ("M", "F", 0.2)])
def test_a_parent_of_known_phase(typed_parent: str, other: str, fraction: float) -> None:
    """The parent carries 1-1 / 2-2, the other parent 2-2 / 2-2: children count crossovers."""
    people = [
        Person("GF", sex="male"),
        Person("GM", sex="female"),
        Person(typed_parent, "GF", "GM", "male" if typed_parent == "F" else "female"),
        Person(other, sex="female" if typed_parent == "F" else "male"),
        CHILD,
    ]
    genomes = Genomes.of(Pedigree.build(people))
    known = {"GF": "11", "GM": "22", typed_parent: "12", other: "22"}

    def joint(a: str, b: str) -> float:
        typed_a, typed_b = (evidence(genomes, **known, C=seen) for seen in (a, b))
        return linked_pair_likelihood(
            genomes,
            typed_a,
            typed_b,
            LOCUS_A,
            LOCUS_B,
            male_recombination=0.1,
            female_recombination=0.2,
        )

    founders = (0.3**2 * 0.7**4) * (0.4**2 * 0.6**4)
    assert joint("12", "12") == pytest.approx(founders * (1 - fraction) / 2, rel=1e-12)
    assert joint("12", "22") == pytest.approx(founders * fraction / 2, rel=1e-12)
    assert joint("11", "22") == 0.0


def test_siblings_without_recombination_are_one_locus_of_haplotypes() -> None:
    """Haplotypes inherited whole, mutated at both loci: sum over the haplotypes of the typed."""
    a, b = (
        LocusModel.build(
            name,
            LocusFrequencies(("1", "2", "3"), np.array(frequencies), None),
            SexMutation(
                CustomMutation(("1", "2", "3"), np.array(rows)),
                CustomMutation(("1", "2", "3"), np.array(rows)[::-1, ::-1].copy()),
            ),
        )
        for name, frequencies, rows in (
            ("A", (0.2, 0.3, 0.5), [[0.8, 0.2, 0.0], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]]),
            ("B", (0.1, 0.6, 0.3), [[0.9, 0.0, 0.1], [0.2, 0.8, 0.0], [0.1, 0.1, 0.8]]),
        )
    )
    pairs = list(product("123", "123"))
    haplotypes = LocusModel(
        "AB",
        tuple("".join(pair) for pair in pairs),
        np.kron(a.frequencies, b.frequencies),
        np.kron(a.male, b.male),
        np.kron(a.female, b.female),
    )
    typed_a, typed_b = {"F": "12", "C": "13", "S": "23"}, {"F": "23", "C": "22", "S": "13"}

    def phases(person: str) -> set[Genotype]:
        (one, two), (x, y) = typed_a[person], typed_b[person]
        return {Genotype((one + x, two + y)), Genotype((one + y, two + x))}

    expected = sum(
        locus_likelihood(
            FAMILY,
            {FAMILY.of_person[p]: (Observation(g),) for p, g in zip(typed_a, chosen, strict=True)},
            haplotypes,
        )
        for chosen in product(*map(phases, typed_a))
    )
    found = linked_pair_likelihood(
        FAMILY,
        evidence(FAMILY, **typed_a),
        evidence(FAMILY, **typed_b),
        a,
        b,
        male_recombination=0,
        female_recombination=0,
    )
    assert found == pytest.approx(expected, rel=1e-12)


def test_siblings_alike_by_hand() -> None:
    """Both siblings are 1/2 at both loci and share two, one or no haplotypes: 1/4, 1/2, 1/4.

    Sharing both they are one person, sharing none two. Sharing haplotype xy both have the
    complementary one besides: P(xy) P(complement)^2, summed over xy.
    """
    p, q, s, t = 0.3, 0.7, 0.4, 0.6
    het = 2 * p * q * 2 * s * t
    one = sum(x * y * ((1 - x) * (1 - y)) ** 2 for x, y in product((p, q), (s, t)))
    typed = evidence(FAMILY, C="12", S="12")
    found = linked_pair_likelihood(
        FAMILY, typed, typed, LOCUS_A, LOCUS_B, male_recombination=0, female_recombination=0
    )
    assert found == pytest.approx(het / 4 + one / 2 + het**2 / 4, rel=1e-12)


def test_what_is_refused() -> None:
    typed = evidence(FAMILY, C="12", S="12")

    def compute(model: LocusModel, genomes: Genomes = FAMILY, fraction: float = 0.1) -> float:
        return linked_pair_likelihood(
            genomes,
            typed,
            typed,
            LOCUS_A,
            model,
            male_recombination=fraction,
            female_recombination=0.1,
        )

    with pytest.raises(ModelError, match="theta to 0"):
        compute(locus("B", "12", (0.4, 0.6), theta=0.01))
    with pytest.raises(ModelError, match="autosomal"):
        compute(locus("B", "12", (0.4, 0.6), chromosome="X"))
    with pytest.raises(ModelError, match=r"0 to 0\.5"):
        compute(LOCUS_B, fraction=0.6)
    inbred = [Person("F", sex="male", founder_inbreeding=0.1), *PARENTS[1:], CHILD]
    with pytest.raises(ModelError, match="founder inbreeding to 0"):
        compute(LOCUS_B, Genomes.of(Pedigree.build([*inbred, Person("S", "F", "M", "female")])))


def test_which_allele_of_a_founder_is_called_paternal_is_immaterial() -> None:
    """With the shortcut for founders switched off nothing changes."""
    cousins = [Person("X", sex="female"), Person("D", "C", "X", "male")]
    genomes = Genomes.of(
        Pedigree.build([*PARENTS, CHILD, Person("S", "F", "M", "female"), *cousins])
    )
    typed = evidence(genomes, F="12", S="12", D="11")
    both = {"male_recombination": 0.1, "female_recombination": 0.3}
    args = (genomes, typed, typed, LOCUS_A, LOCUS_B)
    short = linked_pair_likelihood(*args, **both)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linked, "_canonical", lambda _, meioses: np.arange(2 ** len(meioses)))
        assert linked_pair_likelihood(*args, **both) == pytest.approx(short, rel=1e-13)


def test_limits() -> None:
    children = [Person(str(n), "F", "M", "male") for n in range(8)]
    genomes = Genomes.of(Pedigree.build([*PARENTS, *children]))
    typed = evidence(genomes, **{child.id: "12" for child in children})
    both = {"male_recombination": 0.1, "female_recombination": 0.1}
    with pytest.raises(TooLargeError, match="16 meioses"):
        linked_pair_likelihood(genomes, typed, typed, LOCUS_A, LOCUS_B, **both)
    founders = [Person(str(n), sex="male") for n in range(23)]
    genomes = Genomes.of(Pedigree.build(founders))
    typed = evidence(genomes, **{one.id: "12" for one in founders})
    with pytest.raises(TooLargeError, match="leave out"):
        linked_pair_likelihood(genomes, typed, typed, LOCUS_A, LOCUS_B, **both)


def test_a_sib_family_of_twenty_alleles_takes_no_time() -> None:
    alleles = tuple(str(n) for n in range(10, 30))
    stepwise = SexMutation(StepwiseMutation(0.002), StepwiseMutation(0.001))
    model = LocusModel.build("A", LocusFrequencies(alleles, np.full(20, 0.05), None), stepwise)
    children = [Person(str(n), "F", "M", "male") for n in range(3)]
    genomes = Genomes.of(Pedigree.build([*PARENTS, *children]))
    typed = {
        genomes.of_person[person]: (Observation(Genotype(pair)),)
        for person, pair in (
            ("F", ("12", "14")),
            ("0", ("12", "17")),
            ("1", ("14", "18")),
            ("2", ("15", "17")),
        )
    }
    since = perf_counter()
    joint = linked_pair_likelihood(
        genomes, typed, typed, model, model, male_recombination=0.1, female_recombination=0.1
    )
    assert perf_counter() - since < 1
    assert 0 < joint < math.sqrt(locus_likelihood(genomes, typed, model))
