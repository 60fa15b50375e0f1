from __future__ import annotations

import math

import pytest

from kinward.model.marker import (
    LINKAGE_CUT,
    all_loci,
    find_locus,
    linked_among,
    linked_pairs,
)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("vWA", "vWA"),
        ("VWA", "vWA"),
        (" vwa ", "vWA"),
        ("Penta D", "Penta D"),
        ("PENTA_D", "Penta D"),
        ("PentaD", "Penta D"),
        ("penta-d", "Penta D"),
        ("Penta.E", "Penta E"),
        ("FES/FPS", "FESFPS"),
        ("ACTBP2", "SE33"),
        ("THO1", "TH01"),
        ("d21s11", "D21S11"),
        ("Amelogenin", "AMEL"),
        ("Y indel", "Y-indel"),
        ("Yindel", "Y-indel"),
        ("rs2032678", "Y-indel"),
        ("HPRT-B", "HPRTB"),
    ],
)
def test_spellings_find_the_locus(spelling: str, name: str) -> None:
    locus = find_locus(spelling)
    assert locus is not None
    assert locus.name == name


@pytest.mark.parametrize("spelling", ["", " ", "D99S9", "vWA2", "sex", "id"])
def test_other_names_find_nothing(spelling: str) -> None:
    assert find_locus(spelling) is None


def test_every_name_and_alias_finds_its_own_locus() -> None:
    for locus in all_loci():
        for spelling in (locus.name, *locus.aliases):
            assert find_locus(spelling) is locus


def test_names_are_unique() -> None:
    names = [locus.name for locus in all_loci()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("D3S1358", "autosomal"),
        ("DXS10103", "X"),
        ("AMEL", "recognised"),
        ("DYS391", "recognised"),
        ("QS1", "recognised"),
    ],
)
def test_kind(name: str, kind: str) -> None:
    locus = find_locus(name)
    assert locus is not None
    assert locus.kind == kind


def test_x_loci_form_four_groups_of_three() -> None:
    groups: dict[str, set[str]] = {}
    for locus in all_loci():
        if locus.kind == "X":
            assert locus.linkage_group is not None
            groups.setdefault(locus.linkage_group, set()).add(locus.name)
            assert locus.kits == ("ArgusX12",)
        else:
            assert locus.linkage_group is None
    assert groups == {
        "X1": {"DXS10148", "DXS10135", "DXS8378"},
        "X2": {"DXS7132", "DXS10079", "DXS10074"},
        "X3": {"DXS10103", "HPRTB", "DXS10101"},
        "X4": {"DXS10146", "DXS10134", "DXS7423"},
    }


def test_d_numbers_name_their_chromosome() -> None:
    for locus in all_loci():
        if locus.kind == "autosomal" and locus.name[0] == "D" and "S" in locus.name:
            assert locus.name[1 : locus.name.index("S")] == locus.chromosome


def test_codis_core_is_complete() -> None:
    core = [locus for locus in all_loci() if "CODIS20" in locus.kits]
    assert len(core) == 20
    assert all(locus.grch38_mb is not None and locus.repeat_bp is not None for locus in core)


def test_linked_pairs_lie_on_one_chromosome() -> None:
    for pair in linked_pairs():
        first, second = find_locus(pair.first), find_locus(pair.second)
        assert first is not None
        assert second is not None
        assert first.chromosome == second.chromosome == pair.chromosome
        assert first.grch38_mb is not None
        assert second.grch38_mb is not None
        assert abs(first.grch38_mb - second.grch38_mb) == pytest.approx(pair.distance_mb, abs=0.002)


def test_recombination_fraction_is_haldanes() -> None:
    for pair in linked_pairs():
        expected = 0.5 * (1.0 - math.exp(-2.0 * pair.cm_sex_average / 100.0))
        assert pair.recombination_fraction == pytest.approx(expected, abs=1e-4)


def test_linked_among_names_three_close_pairs() -> None:
    found = linked_among(locus.name for locus in all_loci())
    assert {(pair.first, pair.second) for pair in found} == {
        ("SE33", "D6S1043"),
        ("vWA", "D12S391"),
        ("D5S818", "CSF1PO"),
    }
    assert all(pair.recombination_fraction < LINKAGE_CUT for pair in found)


def test_linked_among_needs_both_loci_and_takes_aliases() -> None:
    assert linked_among(["vWA", "D21S11", "Penta D", "no such locus"]) == ()
    (pair,) = linked_among(["VWA", "d12s391"])
    assert (pair.first, pair.second) == ("vWA", "D12S391")
