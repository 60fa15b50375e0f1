from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinward.errors import ModelError
from kinward.model.population import (
    FrequencyTable,
    LocusFrequencies,
    list_populations,
    load_population,
    merge_tables,
)
from kinward.model.rates import DEFAULT_RATES, SexRates, packaged_mutation_rates

SIMPLE = {"vWA": {"14": 0.1, "15": 0.2, "16": 0.3, "17": 0.4}}


def build(loci: dict[str, dict[str, float]], **options: object) -> FrequencyTable:
    return FrequencyTable.build("test", loci, **options)  # type: ignore[arg-type]


class TestBuild:
    def test_keeps_the_figures(self) -> None:
        table = build(SIMPLE, n={"vWA": 100}, citation="someone", licence="free")
        locus = table.loci["vWA"]
        assert locus.alleles == ("14", "15", "16", "17")
        np.testing.assert_allclose(locus.frequencies, [0.1, 0.2, 0.3, 0.4], rtol=1e-15)
        assert locus.n == 100
        assert (table.citation, table.licence, table.notes) == ("someone", "free", ())

    def test_spells_loci_and_alleles_canonically_and_sorts(self) -> None:
        table = build(
            {"penta_d": {"Rest allele": 0.1, "10": 0.2, "9.30": 0.3, " 9 ": 0.4}},
            n={"PENTA D": 50},
        )
        locus = table.loci["Penta D"]
        assert locus.alleles == ("9", "9.3", "10", "Rest allele")
        np.testing.assert_allclose(locus.frequencies, [0.4, 0.3, 0.2, 0.1])
        assert locus.n == 50

    def test_rescales_a_rounded_sum_and_says_so(self) -> None:
        table = build({"TH01": {"6": 0.5, "7": 0.495}})
        assert math.fsum(table.loci["TH01"].frequencies) == pytest.approx(1.0, abs=1e-15)
        assert table.notes == ("TH01: frequencies summed to 0.995 and were rescaled to 1.",)

    def test_does_not_mention_the_eighth_decimal(self) -> None:
        assert build({"TH01": {"6": 0.5, "7": 0.49999999}}).notes == ()

    def test_tells_all_faults_of_all_loci_at_once(self) -> None:
        with pytest.raises(ModelError) as caught:
            build(
                {
                    "TH01": {"6": 0.5, "7": 0.4},
                    "TPOX": {"8": -0.1, "9": math.nan, "10": 1.5, "11": 0.0},
                    "FGA": {"20": 0.5, "20.0": 0.5},
                    "CSF1PO": {},
                    "D99S9": {"1": 1.0},
                    "AMEL": {"1": 1.0},
                    "vWA": {"14": 1.0},
                    "VWA": {"14": 1.0},
                    "D3S1358": {"": 1.0},
                    "D5S818": {"11": 1.0},
                },
                n={"D5S818": 2},
            )
        text = str(caught.value)
        for part in (
            "TH01: frequencies sum to 0.9",
            "frequency -0.1 of allele 8",
            "frequency nan of allele 9",
            "frequency 1.5 of allele 10",
            "frequency 0.0 of allele 11",
            "FGA: allele 20 is given twice",
            "CSF1PO: no alleles",
            "'D99S9' is unknown",
            "AMEL is not used for kinship",
            "vWA is given twice",
            "D3S1358: an allele has no label",
            "D5S818: n = 2 is too few",
        ):
            assert part in text

    def test_refuses_an_empty_table(self) -> None:
        with pytest.raises(ModelError, match="no loci"):
            build({})

    def test_keeps_unknown_loci_on_request(self) -> None:
        table = build({"System 1": {"A": 0.5, "B": 0.5}}, allow_unknown_loci=True)
        assert tuple(table.loci) == ("System 1",)

    @given(
        st.dictionaries(st.integers(1, 60).map(str), st.floats(1e-4, 1.0), min_size=1, max_size=30)
    )
    def test_any_normalised_figures_sum_to_one(self, weights: dict[str, float]) -> None:
        total = math.fsum(weights.values())
        table = build({"SE33": {a: w / total for a, w in weights.items()}})
        locus = table.loci["SE33"]
        assert math.fsum(locus.frequencies) == pytest.approx(1.0, abs=1e-12)
        assert list(locus.alleles) == sorted(locus.alleles, key=int)


class TestImmutability:
    def test_array_and_mapping_are_read_only(self) -> None:
        table = build(SIMPLE)
        with pytest.raises(ValueError, match="read-only"):
            table.loci["vWA"].frequencies[0] = 1.0
        with pytest.raises(TypeError):
            table.loci["TH01"] = table.loci["vWA"]  # type: ignore[index]

    def test_the_callers_array_is_not_shared(self) -> None:
        values = np.array([0.4, 0.6])
        locus = LocusFrequencies(("8", "9"), values)
        values[0] = 0.5
        assert locus.frequencies[0] == 0.4

    @pytest.mark.parametrize("remake", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
    def test_copies_are_equal_and_read_only(self, remake: object) -> None:
        table = build(SIMPLE, n={"vWA": 7})
        other = remake(table)  # type: ignore[operator]
        assert other.digest() == table.digest()
        assert not other.loci["vWA"].frequencies.flags.writeable

    @pytest.mark.parametrize(
        ("alleles", "values", "n"),
        [
            ((), [], None),
            (("8", "9"), [1.0], None),
            (("9", "8"), [0.5, 0.5], None),
            (("8", "8"), [0.5, 0.5], None),
            (("8", "9"), [0.0, 1.0], None),
            (("8", "9"), [math.nan, 1.0], None),
            (("8",), [1.0], 2),
        ],
    )
    def test_constructor_refuses_nonsense(
        self, alleles: tuple[str, ...], values: list[float], n: int | None
    ) -> None:
        with pytest.raises(ModelError):
            LocusFrequencies(alleles, np.array(values), n)


class TestMinimumFrequency:
    def test_is_five_in_two_n(self) -> None:
        assert build(SIMPLE, n={"vWA": 1000}).loci["vWA"].minimum_frequency == 0.0025

    def test_is_one_in_a_thousand_without_n(self) -> None:
        assert build(SIMPLE).loci["vWA"].minimum_frequency == 0.001

    def test_adds_unlisted_alleles_and_leaves_the_others(self) -> None:
        locus = build(SIMPLE, n={"vWA": 1000}).loci["vWA"]
        wider = locus.with_alleles(["18", "15", "9.30", "18"])
        assert wider.alleles == ("9.3", "14", "15", "16", "17", "18")
        assert wider.frequencies.tolist() == [0.0025, *locus.frequencies.tolist(), 0.0025]
        assert wider.n == 1000

    def test_returns_itself_when_nothing_is_new(self) -> None:
        locus = build(SIMPLE).loci["vWA"]
        assert locus.with_alleles(["14", "17"]) is locus


class TestDigest:
    def test_depends_on_the_figures_only(self) -> None:
        two = {**SIMPLE, "TH01": {"6": 0.5, "7": 0.5}}
        swapped = {"TH01": {"7": 0.5, "6": 0.5}, **SIMPLE}
        assert build(two).digest() == build(swapped, citation="other").digest()
        assert len(build(two).digest()) == 64

    def test_changes_with_a_frequency_an_allele_a_locus_and_n(self) -> None:
        digests = {
            build(loci, n=n).digest()
            for loci, n in [
                ({"TH01": {"6": 0.5, "7": 0.5}}, None),
                ({"TH01": {"6": 0.6, "7": 0.4}}, None),
                ({"TH01": {"6": 0.5, "8": 0.5}}, None),
                ({"TPOX": {"6": 0.5, "7": 0.5}}, None),
                ({"TH01": {"6": 0.5, "7": 0.5}}, {"TH01": 10}),
            ]
        }
        assert len(digests) == 5


class TestPackaged:
    def test_unknown_name_lists_near_ones(self) -> None:
        with pytest.raises(ModelError, match="did you mean vietnam"):
            load_population("vietnm")
        with pytest.raises(ModelError, match="known are china_han_42str"):
            load_population("?")

    def test_joined_names_fill_gaps(self) -> None:
        china, uk = load_population("china_han_42str"), load_population("uk_dna17_chinese")
        both = load_population("china_han_42str + uk_dna17_chinese")
        assert both.name == "china_han_42str+uk_dna17_chinese"
        assert set(both.loci) == set(china.loci) | {"D22S1045", "SE33"}
        assert both.loci["vWA"] is china.loci["vWA"]
        assert both.loci["SE33"] is uk.loci["SE33"]
        (note,) = both.notes
        assert note.startswith("From uk_dna17_chinese: ")
        assert "SE33" in note
        assert china.citation in both.citation
        assert uk.citation in both.citation
        assert uk.licence in both.licence

    def test_a_fallback_that_gives_nothing_is_not_cited(self) -> None:
        china = load_population("china_han_42str")
        merged = merge_tables("same", china, build(SIMPLE, citation="nobody"))
        assert merged.digest() == china.digest()
        assert merged.citation == china.citation
        assert merged.notes == ()

    def test_notes_of_the_parts_are_carried(self) -> None:
        merged = load_population("uk_dna17_white+norstr_europe")
        assert any(n.startswith("norstr_europe: ") and "D6S474" in n for n in merged.notes)

    def test_list_is_sorted_and_holds_the_main_ones(self) -> None:
        names = [info.name for info in list_populations()]
        assert names == sorted(names)
        assert {"vietnam", "china_han_42str", "us_nist1036_asian", "norstr_europe"} <= set(names)


class TestRates:
    def test_default_and_split_rates(self) -> None:
        rates = packaged_mutation_rates()
        assert rates[DEFAULT_RATES] == SexRates(male=0.001313, female=0.000278)
        assert rates["FGA"] == SexRates(male=0.0032, female=0.0005)
        split = rates["D12S391"]
        assert (split.male + split.female) / 2 == pytest.approx(0.003, abs=1e-12)
        assert split.male / split.female == pytest.approx(0.001313 / 0.000278, rel=1e-3)
        assert "D2S441" not in rates

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(TypeError):
            packaged_mutation_rates()["FGA"] = SexRates(0.0, 0.0)  # type: ignore[index]

    @pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan])
    def test_impossible_rates_are_refused(self, rate: float) -> None:
        with pytest.raises(ModelError, match="female mutation rate"):
            SexRates(male=0.0, female=rate)
