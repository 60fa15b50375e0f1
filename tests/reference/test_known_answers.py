"""Single cases whose answers other programs or pencil and paper have given.

The first table is of Familias R 2.6.4: alleles 14 to 17 with frequencies .1 .2 .3 .4, alleged
father and child.
"""

from __future__ import annotations

import numpy as np
import pytest

from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.run import locus_likelihood
from kinward.model.locus_model import LocusModel
from kinward.model.mutation import (
    EqualMutation,
    MutationModel,
    NoMutation,
    ProportionalMutation,
    SexMutation,
    StepwiseMutation,
)
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import LocusFrequencies
from kinward.model.profile import Genotype

FATHER = Person("father", sex="male")
MOTHER = Person("mother", sex="female")
DUO = Pedigree.build([FATHER, Person("child", "father")], allow_single_parent=True)
DUO_APART = Pedigree.build([FATHER, Person("child")])
TRIO = Pedigree.build([FATHER, MOTHER, Person("child", "father", "mother")])
TRIO_APART = Pedigree.build(
    [FATHER, MOTHER, Person("child", None, "mother")], allow_single_parent=True
)

FOUR = {"14": 0.1, "15": 0.2, "16": 0.3, "17": 0.4}
WITH_SILENT = {"14": 0.1, "15": 0.2, "16": 0.3, "17": 0.35}
MICROVARIANT = {"9": 0.3, "9.3": 0.3, "10": 0.2, "11": 0.2}

NONE = NoMutation()
EQUAL = EqualMutation(0.002)
PROPORTIONAL = ProportionalMutation(0.002)
STEPWISE = StepwiseMutation(0.002, 0.0, 0.1)
STEPWISE2 = StepwiseMutation(0.002, 1e-4, 0.1)


def locus(
    frequencies: dict[str, float],
    mutation: MutationModel = NONE,
    theta: float = 0.0,
    silent: float = 0.0,
) -> LocusModel:
    return LocusModel.build(
        "test",
        LocusFrequencies(tuple(frequencies), np.array(list(frequencies.values()))),
        SexMutation(mutation, mutation),
        theta=theta,
        silent=silent,
    )


def likelihood(pedigree: Pedigree, model: LocusModel, seen: dict[str, str]) -> float:
    genomes = Genomes.of(pedigree)
    evidence = {
        genomes.of_person[person]: [Observation(Genotype(tuple(cell.split("/"))))]
        for person, cell in seen.items()
    }
    return locus_likelihood(genomes, evidence, model)


CASES = [
    # father, child, mother, untyped mother in the pedigree, model, LR, figures given
    ("14/15", "14/16", None, False, locus(FOUR), 2.5, 12),
    ("14/15", "14/16", None, False, locus(FOUR, theta=0.01), 2.339449541, 10),
    ("14/15", "14/16", "16/17", True, locus(FOUR, theta=0.03), 4.291338583, 10),
    ("14/14", "15/16", None, False, locus(FOUR, EQUAL), 0.002777777778, 10),
    ("14/14", "15/16", None, False, locus(FOUR, PROPORTIONAL), 0.002857142857, 10),
    ("14/14", "15/16", None, False, locus(FOUR, STEPWISE), 0.004804804805, 10),
    ("14/14", "15/16", None, True, locus(FOUR, STEPWISE), 0.00480995512887, 12),
    ("14/14", "15/16", None, False, locus(FOUR, STEPWISE, 0.03), 0.00525061143618, 12),
    ("14/14", "15/16", None, False, locus(FOUR, EQUAL, 0.03), 0.00303550973654, 12),
    ("14/14", "16/16", None, False, locus(WITH_SILENT, silent=0.05), 0.625, 12),
    ("14/14", "16/16", None, False, locus(WITH_SILENT, EQUAL, 0, 0.05), 0.626458333333, 12),
    ("14/14", "16/16", None, False, locus(WITH_SILENT, PROPORTIONAL, 0, 0.05), 0.62705078125, 12),
    ("14/14", "16/16", None, False, locus(WITH_SILENT, NONE, 0.02, 0.05), 0.548475977269, 12),
    ("14/14", "16/16", None, False, locus(WITH_SILENT, EQUAL, 0.02, 0.05), 0.549954748101, 12),
    ("9/9", "9.3/10", None, False, locus(MICROVARIANT, STEPWISE2), 0.004712121212, 10),
    ("9/9", "9.3/10", None, True, locus(MICROVARIANT, STEPWISE2), 0.00471314318182, 12),
]


@pytest.mark.parametrize(
    ("father", "child", "mother", "with_mother", "model", "ratio", "figures"), CASES
)
def test_familias(
    father: str,
    child: str,
    mother: str | None,
    with_mother: bool,
    model: LocusModel,
    ratio: float,
    figures: int,
) -> None:
    seen = {"father": father, "child": child}
    if mother is not None:
        seen["mother"] = mother
    related = likelihood(TRIO if with_mother else DUO, model, seen)
    # An untyped mother is one of the hypothesis only: the unrelated child is a founder.
    apart = likelihood(TRIO_APART if mother is not None else DUO_APART, model, seen)
    assert related / apart == pytest.approx(ratio, rel=0.51 * 10.0 ** (1 - figures))


def test_homozygous_child_of_unknown_parents_under_theta() -> None:
    model = locus({"A": 0.3, "B": 0.7}, theta=0.01)
    pedigree = Pedigree.build([MOTHER, FATHER, Person("child", "father", "mother")])
    assert likelihood(pedigree, model, {"child": "A/A"}) == pytest.approx(0.0921, rel=1e-12)


HALF_SIBS = Pedigree.build(
    [
        FATHER,
        MOTHER,
        Person("other", sex="female"),
        Person("a", "father", "mother"),
        Person("b", "father", "other"),
    ]
)
STRANGERS = Pedigree.build([Person("a"), Person("b")])
HALF_SIB_LOCI = (
    ({"16": 0.2, "17": 0.3, "Rest allele": 0.5}, "16/17", "17/17"),
    ({"20": 0.01, "21": 0.09, "Rest allele": 0.9}, "20/21", "20/20"),
)


@pytest.mark.parametrize(("rate", "ratio"), [(0.0, 34.0), (0.001, 35.844)])
def test_half_sibs_at_two_unlinked_loci(rate: float, ratio: float) -> None:
    product = 1.0
    for frequencies, a, b in HALF_SIB_LOCI:
        model = locus(frequencies, EqualMutation(rate))
        seen = {"a": a, "b": b}
        product *= likelihood(HALF_SIBS, model, seen) / likelihood(STRANGERS, model, seen)
    assert product == pytest.approx(ratio, abs=5e-4)


@pytest.mark.parametrize(
    ("pedigree", "kappa"),
    [
        (HALF_SIBS, (0.5, 0.5, 0.0)),
        (
            Pedigree.build(
                [FATHER, MOTHER, Person("a", "father", "mother"), Person("b", "father", "mother")]
            ),
            (0.25, 0.5, 0.25),
        ),
        (
            Pedigree.build(
                [
                    Person("gf", sex="male"),
                    Person("gm", sex="female"),
                    Person("father", "gf", "gm", "male"),
                    Person("b", "gf", "gm"),
                    MOTHER,
                    Person("a", "father", "mother"),
                ]
            ),
            (0.5, 0.5, 0.0),
        ),
    ],
)
@pytest.mark.parametrize("theta", [0.0, 0.05])
def test_pairs_follow_from_their_identity_coefficients(
    pedigree: Pedigree, kappa: tuple[float, float, float], theta: float
) -> None:
    """LR = k0 + k1 P(share one) + k2 P(share both), each over P(unrelated), by hand for A/B, A/C.

    With theta the alleles are drawn in turn by the sampling formula (Balding and Nichols 1994).
    """
    p = {"A": 0.1, "B": 0.2, "C": 0.7}
    model = locus(p, theta=theta)

    def draw(count: int, total: int, frequency: float) -> float:
        return (count * theta + (1 - theta) * frequency) / (1 + (total - 1) * theta)

    # Given A/B and a first allele A or B in common (one half), the other is C, the third draw.
    share_one = 0.5 * draw(0, 2, p["C"])
    unrelated = 2 * draw(1, 2, p["A"]) * draw(0, 3, p["C"])
    expected = kappa[0] + kappa[1] * share_one / unrelated
    seen = {"a": "A/B", "b": "A/C"}
    ratio = likelihood(pedigree, model, seen) / likelihood(STRANGERS, model, seen)
    assert ratio == pytest.approx(expected, rel=1e-12)
