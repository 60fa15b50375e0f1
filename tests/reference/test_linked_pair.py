"""Half siblings typed at two linked loci: published likelihood ratios (see SOURCES.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinward.io.fam import read_fam
from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.linked import haldane, kosambi, linked_pair_likelihood
from kinward.model.locus_model import LocusModel
from kinward.model.mutation import EqualMutation, SexMutation


@pytest.mark.parametrize(
    ("fraction", "rate", "answer"),
    [
        (0.5, 0.0, 34.0),
        (kosambi(11.94), 0.0, 38.787),
        (haldane(11.94), 0.0, 39.066),
        (0.5, 0.001, 35.844),
        (kosambi(11.94), 0.001, 40.860),
    ],
)
def test_half_siblings(shared_reference: Path, fraction: float, rate: float, answer: float) -> None:
    case = read_fam(shared_reference / "fam" / "halfsib_case.fam")
    mutation = SexMutation(EqualMutation(rate), EqualMutation(rate))
    first, second = (
        LocusModel.build(name, case.loci[name].frequencies, mutation) for name in ("vWA", "D12S391")
    )

    def likelihood(hypothesis: str) -> float:
        genomes = Genomes.of(case.hypotheses[hypothesis])
        seen = [
            {
                genomes.of_person[person]: (Observation(profile.genotypes[model.locus]),)
                for person, profile in case.profiles.items()
                if model.locus in profile.genotypes
            }
            for model in (first, second)
        ]
        return linked_pair_likelihood(
            genomes,
            *seen,
            first,
            second,
            male_recombination=fraction,
            female_recombination=fraction,
        )

    assert likelihood("HS") / likelihood("UN") == pytest.approx(answer, abs=6e-4)
