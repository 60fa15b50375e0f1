"""Three hundred likelihoods and 120 likelihood ratios computed by pedprobr and forrel."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kinward.errors import InputError
from kinward.likelihood.verify import VerifyReport, verify_cases

CASES = Path(__file__).parent / "kinship_cases.json"
TOLERANCE = 1e-8


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(CASES.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def report() -> VerifyReport:
    return verify_cases(CASES)


def test_every_figure_agrees(report: VerifyReport) -> None:
    assert report.failures(TOLERANCE) == ()
    assert report.largest <= TOLERANCE
    assert report.worst.size == report.largest


def test_every_figure_of_the_file_is_compared(
    report: VerifyReport, content: dict[str, Any]
) -> None:
    likelihoods = [d for d in report.deviations if d.quantity == "ln L"]
    totals = [d for d in report.deviations if d.quantity == "ln LR"]
    loci = [d for d in report.deviations if d.quantity.startswith("ln LR ")]
    assert (len(likelihoods), len(totals)) == (300, 120)
    assert len(loci) == sum(len(case["lr_per_locus"]) for case in content["lr_cases"])
    assert report.cases == 420
    kinds = {kind for kind, _ in report.by_kind()}
    assert {"duo_father", "sib_mating", "double_cousins", "uncle_aunt"} <= kinds
    assert {model for _, model in report.by_kind()} == {
        "none",
        "equal",
        "proportional",
        "stepwise",
        "onestep",
    }


def test_an_exact_zero_is_compared_as_such(report: VerifyReport) -> None:
    (zero,) = [d for d in report.deviations if d.quantity == "ln L" and d.expected == -math.inf]
    assert zero.case == "grandparent_132"
    assert zero.found == -math.inf
    assert zero.size == 0


def small(content: dict[str, Any]) -> dict[str, Any]:
    few = [c for c in content["likelihood_cases"] if c["loglikelihood"] is not None][:3]
    few += [c for c in content["likelihood_cases"] if c["loglikelihood"] is None]
    return copy.deepcopy(
        {
            "frequencies": content["frequencies"],
            "likelihood_cases": few,
            "lr_cases": content["lr_cases"][:2],
        }
    )


def test_deviations_are_found(content: dict[str, Any]) -> None:
    wrong = small(content)
    first, second, _, zero = wrong["likelihood_cases"]
    first["loglikelihood"] += 2e-8
    second["loglikelihood"] = None
    zero["loglikelihood"] = -700.0
    ratio = wrong["lr_cases"][0]
    locus = next(iter(ratio["lr_per_locus"]))
    ratio["lr_per_locus"][locus] *= 1.0 + 1e-6
    failed = verify_cases(wrong).failures(TOLERANCE)
    assert [d.case for d in failed[:2]] == [second["name"], zero["name"]]
    assert failed[0].size == math.inf
    assert {(d.case, d.quantity.split()[-1]) for d in failed[2:]} == {
        (first["name"], "L"),
        (ratio["name"], failed[2].quantity.split()[-1]),
    }
    assert verify_cases(wrong).largest == math.inf


def rename(mapping: dict[str, Any], old: str, new: str) -> None:
    mapping[new] = mapping.pop(old)


BREAKAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no cases": (dict.clear, "holds no cases"),
    "not a list": (lambda d: d.update(lr_cases={}), "lr_cases: it is not a list"),
    "misspelt key": (lambda d: rename(d, "lr_cases", "lrcases"), "'lrcases'"),
    "misspelt case key": (
        lambda d: rename(d["likelihood_cases"][1], "theta", "thetta"),
        r"likelihood_cases\[1\].*'thetta'",
    ),
    "no result": (lambda d: d["likelihood_cases"][0].pop("loglikelihood"), "loglikelihood"),
    "same name": (
        lambda d: d["lr_cases"][0].update(name=d["lr_cases"][1]["name"]),
        "same name",
    ),
    "text for a number": (
        lambda d: d["likelihood_cases"][0].update(theta="0.1"),
        "theta is '0.1'",
    ),
    "unknown person": (
        lambda d: d["likelihood_cases"][0]["genotypes"].update(nobody=["12", "12"]),
        "nobody is not in the pedigree",
    ),
    "unknown relative": (
        lambda d: d["lr_cases"][0]["relatives"].update(nobody={}),
        "nobody is not in the pedigree",
    ),
    "unknown model": (
        lambda d: d["likelihood_cases"][0]["mutation"].update(model="steps"),
        "unknown mutation model",
    ),
    "bad rate": (
        lambda d: d["lr_cases"][0].update(mutation={"model": "equal", "male": {"rate": 2}}),
        "rate is 2",
    ),
    "three alleles": (
        lambda d: d["lr_cases"][0]["child"].update(TPOX="8/9/10"),
        "8/9/10",
    ),
    "locus twice": (lambda d: d["lr_cases"][0]["child"].update(vWA="1/2", VWA="1/2"), "vWA twice"),
    "locus without frequencies": (
        lambda d: d["frequencies"].pop(next(iter(d["lr_cases"][0]["lr_per_locus"]))),
        "not in the frequencies",
    ),
    "two mothers": (
        lambda d: d["likelihood_cases"][0]["pedigree"].append(
            dict(d["likelihood_cases"][0]["pedigree"][-1])
        ),
        "listed twice",
    ),
    "allele without frequency": (
        lambda d: d["likelihood_cases"][0]["frequencies"].pop(
            next(iter(d["likelihood_cases"][0]["genotypes"].values()))[0]
        ),
        "has no frequency",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_malformed_files_are_refused_with_the_place(content: dict[str, Any], breakage: str) -> None:
    broken = small(content)
    spoil, message = BREAKAGES[breakage]
    spoil(broken)
    with pytest.raises(InputError, match=message):
        verify_cases(broken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "row 1"),
        ("[]", "not a JSON object"),
        ('{"likelihood_cases": NaN}', "NaN"),
        ("\xff", "utf-8"),
    ],
)
def test_files_that_are_not_cases_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cases.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        verify_cases(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json"):
        verify_cases(tmp_path / "nowhere.json")


def test_progress_is_told(content: dict[str, Any]) -> None:
    told: list[tuple[int, int]] = []
    verify_cases(small(content), progress=lambda done, of: told.append((done, of)))
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)
