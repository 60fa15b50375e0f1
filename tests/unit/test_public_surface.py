"""What `import kinward` offers: complete, sorted, lazy, and enough for a first likelihood ratio."""

from __future__ import annotations

import ast
import math
import subprocess
import sys
from pathlib import Path

import pytest

import kinward as kw


def imported_for_type_checkers() -> set[str]:
    tree = ast.parse(Path(str(kw.__file__)).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_is_sorted_and_complete() -> None:
    assert kw.__all__ == sorted(kw.__all__)
    assert set(kw.__all__) == imported_for_type_checkers()
    for name in kw.__all__:
        assert getattr(kw, name).__name__ == name
        assert getattr(kw, name).__doc__
    assert set(kw.__all__) <= set(dir(kw))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="paternity"):
        kw.paternity  # type: ignore[attr-defined]  # noqa: B018


def test_import_is_light() -> None:
    script = (
        "import kinward, sys; print([m for m in ('numpy', 'numba', 'pyarrow') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "[]"


FATHER = {"vWA": "14/17", "TH01": "6/9.3", "Penta_D": "9/12"}
CHILD = {"VWA": "14/16", "TH01": "9/9.3", "Penta D": "9/10"}


def test_five_lines_give_a_likelihood_ratio() -> None:
    model = kw.load_model("vietnam", mutation="none")
    result = kw.paternity_lr(CHILD, FATHER, None, model)
    assert result.log10_lr is not None
    by_locus = {one.locus: one.lr for one in result.per_locus}
    listed = model.table.loci["vWA"]
    p14 = float(listed.frequencies[listed.alleles.index("14")])
    assert by_locus["vWA"] == pytest.approx(1 / (4 * p14), rel=1e-12)
    assert result.log10_lr == pytest.approx(
        sum(math.log10(ratio) for ratio in by_locus.values() if ratio), rel=1e-12
    )
    assert result.loci == 3
    assert result.exclusions == 0


def test_both_parents_and_neither() -> None:
    model = kw.load_model("vietnam")
    mother = {"vWA": "16/18", "TH01": "9/9", "Penta D": "10/10"}
    both = kw.paternity_lr(CHILD, FATHER, mother, model)
    one = kw.paternity_lr(CHILD, FATHER, None, model)
    assert (both.log10_lr or 0) > (one.log10_lr or 0)
    neither = kw.paternity_lr(CHILD, None, None, model)
    assert neither.loci == 0
    assert neither.log10_lr == pytest.approx(0, abs=0.02)


def test_unlisted_alleles_and_unused_loci_are_told() -> None:
    model = kw.load_model("vietnam")
    father = {"vWA": "14/33", "AMEL": "X/Y", "DYS391": "10", "SE33": "20/21"}
    child = {"vWA": "16/33", "AMEL": "X/X", "SE33": "20/22"}
    result = kw.paternity_lr(child, father, None, model)
    assert list(result.added) == ["vWA"]
    assert result.added["vWA"] == {"33": model.table.loci["vWA"].minimum_frequency}
    assert "AMEL" in {name.upper()[:4] for name in result.skipped}
    assert [one.locus for one in result.per_locus if one.lr and one.lr > 10] == ["vWA"]


def test_linked_loci_are_told() -> None:
    model = kw.load_model("china_han_42str")
    father = {"vWA": "14/17", "D12S391": "18/19"}
    result = kw.paternity_lr(father, father, None, model)
    assert [set(pair) for pair in result.linked] == [{"vWA", "D12S391"}]


def test_every_fault_is_told_at_once() -> None:
    model = kw.load_model("vietnam")
    with pytest.raises(kw.InputError) as caught:
        kw.paternity_lr(
            {"vWA": "14", "TH01": "9-Oct", "nonsense": "1/2"},
            {"vWA": "14/15/16", "VWA": "14/15"},
            None,
            model,
        )
    kinds = [(fault.file, fault.locus, fault.kind) for fault in caught.value.faults]
    assert sorted(kinds) == [
        ("child", "TH01", "date-mangled"),
        ("child", "nonsense", "unknown-locus"),
        ("child", "vWA", "one-allele"),
        ("father", "vWA", "three-alleles"),
    ]


def test_other_relationships() -> None:
    family = kw.Pedigree.build(
        [
            kw.Person("f", sex="male"),
            kw.Person("m", sex="female"),
            kw.Person("sister", "f", "m", "female"),
            kw.Person("missing", "f", "m"),
        ]
    )
    model = kw.load_model("vietnam")
    result = kw.kinship_lr(family, {"sister": FATHER}, "missing", FATHER, model)
    assert result.log10_lr is not None
    assert result.log10_lr > 1
    with pytest.raises(kw.InputError, match="brother"):
        kw.kinship_lr(family, {"brother": FATHER}, "missing", FATHER, model)
