"""Every command as a user runs it."""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kinward.cli.entry import main, make_parser

CHECKOUT = Path(__file__).resolve().parents[2]
REGISTRY = CHECKOUT / "tests" / "reference" / "registry_400"
CASES = CHECKOUT / "tests" / "reference" / "kinship_cases.json"
REGISTRY_RUN = (
    str(REGISTRY / "children.csv"),
    str(REGISTRY / "families.csv"),
    "--frequencies",
    str(REGISTRY / "frequencies.csv"),
    "--mutation",
    "equal:0.002",
)

FAMILIES = """\
family,id,father,mother,sex,missing,TH01,vWA
A,F,,,male,,6/7,14/15
A,M,,,female,,6/7,14/15
A,S,F,M,male,,9/9,14/15
A,C,F,M,,1,,
B,F,,,male,,6/7,14/15
B,M,,,female,,6/7,14/15
B,C,F,M,,1,,
"""
CHILDREN = """\
id,sex,TH01,vWA
c1,male,6/7,14/15
"""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(*words: str | Path) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "children.csv").write_text(CHILDREN, encoding="utf-8")
    (tmp_path / "families.csv").write_text(FAMILIES, encoding="utf-8")
    return tmp_path


def small_run(folder: Path, *more: str) -> int:
    return run(
        "search", folder / "children.csv", folder / "families.csv", "--population", "vietnam",
        "--mutation", "none", "--min-log10-lr", "0", "--out", folder / "out.csv", *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Return all pairs of the registry."""
    out = tmp_path_factory.mktemp("everything") / "all.csv"
    assert run("search", *REGISTRY_RUN, "--min-log10-lr", "-100", "--out", out, "--quiet") == 0
    return rows(out)


def test_search_reproduces_every_expected_ratio(everything: list[dict[str, str]]) -> None:
    found = {(row["child"], row["family"]): float(row["log10_lr"]) for row in everything}
    assert len(found) == 180 * 400
    expected = rows(REGISTRY / "expected.csv")
    assert len(expected) > 200
    for row in expected:
        pair = (row["child"], row["family"])
        assert found[pair] == pytest.approx(float(row["log10_lr"]), abs=1e-6), pair


def test_search_at_a_threshold_returns_exactly_the_pairs_above_it(
    everything: list[dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "three.csv"
    assert run("search", *REGISTRY_RUN, "--min-log10-lr", "3", "--out", out, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert rows(out) == [row for row in everything if float(row["log10_lr"]) >= 3]
    assert answer["counts"]["candidates"] == len(rows(out))
    assert answer["written"]["results"] == str(out)
    record = json.loads((tmp_path / "three.run.json").read_text(encoding="utf-8"))
    assert record["parameters"]["mutation"] == "equal:0.002"
    assert len(record["files"]["children"]["sha256"]) == 64
    assert set(record["model"]["loci"]) == {r["locus"] for r in rows(REGISTRY / "frequencies.csv")}
    assert "vWA and D12S391 are linked" in " ".join(record["notes"])


def test_results_have_the_fixed_columns_and_order(everything: list[dict[str, str]]) -> None:
    assert list(everything[0]) == [
        "child", "family", "missing", "log10_lr", "loci", "exclusions", "sex_conflict",
        "father_alone", "mother_alone",
    ]  # fmt: skip
    keys = [(row["child"], -float(row["log10_lr"]), row["family"]) for row in everything]
    assert keys == sorted(keys)


def test_search_chooses_a_threshold_by_expected_chance_matches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.parquet"
    status = run("search", *REGISTRY_RUN, "--expected-false", "0.5", "--out", out, "--json")
    assert status == 0
    answer = json.loads(capsys.readouterr().out)
    expected = sum(c["expected"] for c in answer["chance_matches"] if not c["one_parent"])
    assert expected <= 0.5
    assert answer["parameters"]["expected_false"] == 0.5
    assert out.stat().st_size > 0


def test_search_summary_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report = tmp_path / "out.csv", tmp_path / "out.html"
    status = run("search", *REGISTRY_RUN, "--min-log10-lr", "4", "--out", out, "--report", report)
    assert status == 0
    text = capsys.readouterr().out
    assert "180 children, 400 families with 400 missing children: 72,000 pairs" in text
    assert "unrelated pairs expected" in text
    assert "F00219: D2S441" in text
    assert report.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")


def test_pairs_that_one_parent_explains_stand_in_a_second_file(tmp_path: Path) -> None:
    """The registered father is not the child's: the mother alone explains the child."""
    simulated = tmp_path / "registry"
    assert run(
        "simulate", "--children", "10", "--families", "10", "--related", "1", "--kinds",
        "both parents=1", "--out", simulated, "--seed", "5",
    ) == 0  # fmt: skip
    families = rows(simulated / "families.csv")
    loci = list(families[0])[6:]
    fathers = [row for row in families if row["id"] == "father"]
    profiles = [[row[locus] for locus in loci] for row in fathers]
    for row, profile in zip(fathers, [*profiles[1:], profiles[0]], strict=True):
        row.update(zip(loci, profile, strict=True))
    with (simulated / "families.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(families[0]))
        writer.writeheader()
        writer.writerows(families)
    search = (
        "search", simulated / "children.csv", simulated / "families.csv", "--population",
        "china_han_42str", "--min-log10-lr", "4", "--out", tmp_path / "out.csv", "--quiet",
    )  # fmt: skip
    assert run(*search) == 0
    assert rows(tmp_path / "out.csv") == []
    truth = {(row["child"], row["family"]) for row in rows(simulated / "truth.csv")}
    by_mother = [
        row for row in rows(tmp_path / "out.one-parent.csv") if float(row["mother_alone"]) >= 4
    ]
    assert {(row["child"], row["family"]) for row in by_mother} >= truth
    # A later run of the same name without such pairs does not leave the earlier file behind.
    assert run(*search[:6], "60", *search[7:]) == 0
    assert not (tmp_path / "out.one-parent.csv").exists()


def test_every_fault_is_told_and_nothing_written(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (small / "children.csv").open("a", encoding="utf-8") as file:
        file.write("c2,male,xx,14/15\n")
    families = (small / "families.csv").read_text(encoding="utf-8").replace("B,C,F,M", "B,C,F,")
    (small / "families.csv").write_text(families, encoding="utf-8")
    before = sorted(small.iterdir())
    assert small_run(small) == 2
    told = capsys.readouterr().err
    assert "2 faults in the input" in told
    assert "children.csv, row 3, TH01: 'xx' is not a genotype; write repeat numbers" in told
    assert "families.csv, row 8" in told
    assert sorted(small.iterdir()) == before


def test_a_long_list_of_faults_is_capped(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "".join(f"d{i},male,xx,14/15\n" for i in range(120))
    (small / "children.csv").write_text(CHILDREN + bad, encoding="utf-8")
    assert small_run(small) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "kinward: error: 120 faults in the input"
    assert told[-1] == "  and 70 more"
    assert len(told) == 52


def test_a_family_that_cannot_be_is_a_fault(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(small.iterdir())
    assert small_run(small) == 2
    told = capsys.readouterr().err
    assert "families.csv, row 2, TH01: family A" in told
    assert "--rejects" in told
    assert sorted(small.iterdir()) == before


def test_loci_on_the_x_are_passed_over_with_a_note(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their transmission differs between the sexes: nothing of them enters a search yet."""
    for name, value in (("children", "14"), ("families", "")):
        path = small / f"{name}.csv"
        head, *body = path.read_text(encoding="utf-8").splitlines()
        lines = [f"{head},DXS10135", *(f"{line},{value}" for line in body if line[:2] != "A,")]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    frequencies = small / "frequencies.csv"
    frequencies.write_text(
        "locus,allele,frequency\nTH01,6,0.5\nTH01,7,0.5\nDXS10135,14,1\n", encoding="utf-8"
    )
    status = run(
        "search", small / "children.csv", small / "families.csv", "--frequencies", frequencies,
        "--mutation", "none", "--min-log10-lr", "-9", "--out", small / "out.csv",
    )  # fmt: skip
    assert status == 0
    text = capsys.readouterr().out
    assert "DXS10135 is skipped: loci on the X are not searched" in text
    assert "vWA is skipped: frequencies has no frequencies for it" in text


def test_rejects_hold_the_faulty_rows_and_the_rest_is_searched(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (small / "children.csv").open("a", encoding="utf-8") as file:
        file.write("c2,male,xx,14/15\n")
    assert small_run(small, "--rejects", str(small / "rejects.csv")) == 0
    text = capsys.readouterr().out
    assert "children rejected: 1 left out" in text
    assert "A: TH01" in text
    found = rows(small / "out.csv")
    assert [(row["child"], row["family"], row["missing"]) for row in found] == [("c1", "B", "C")]
    rejected = rows(small / "rejects.csv")
    assert [(row["kind"], row["id"]) for row in rejected] == [
        ("not-a-number", "c2"),
        ("inconsistent-family", "F"),
        ("with-its-family", "M"),
        ("with-its-family", "S"),
        ("with-its-family", "C"),
    ]
    assert rejected[0]["TH01"] == "xx"
    assert rejected[1]["family"] == "A"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("search", "a.csv"), "the following arguments are required"),
        (("nonsense",), "invalid choice"),
        (("search", "a", "b", "--min-log10-lr", "3", "--out", "o.csv"), "--population"),
        (
            ("search", "a", "b", "--population", "vietnam", "--min-log10-lr", "3",
             "--expected-false", "1", "--out", "o.csv"),
            "not allowed with",
        ),
        (("simulate", "--children", "0", "--families", "1", "--out", "x"), "at least 1"),
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_2(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("populations", "atlantis"), "'atlantis' is not packaged"),
        (("loci", "D99S1"), "locus 'D99S1' is not known"),
        (("verify", "absent.json"), "absent.json: the file cannot be read"),
        (("lr", "absent.fam"), "absent.fam"),
        (("convert", "absent.csv", "b.csv"), "absent.csv"),
        (("convert", str(REGISTRY / "children.csv"), "b.docx"), "b.docx"),
        (("search", "absent.csv", "gone.csv", "--population", "vietnam", "--min-log10-lr", "3",
          "--out", "o.csv"), "gone.csv"),
        (("search", *REGISTRY_RUN[:2], "--population", "vietnam", "--mutation", "often",
          "--min-log10-lr", "3", "--out", "o.csv"), "unknown mutation model 'often'"),
        (("search", *REGISTRY_RUN, "--min-log10-lr", "9", "--out", "o.doc"), "o.doc"),
        (("search", *REGISTRY_RUN, "--min-log10-lr", "9", "--out", "/absent/o.csv"), "/absent"),
        (("explain", "C00001", "F99", "--children", REGISTRY_RUN[0], "--families",
          REGISTRY_RUN[1], "--population", "vietnam"), "no family 'F99'"),
        (("simulate", "--children", "9", "--families", "1", "--out", "x"), "are to be found"),
        (("simulate", "--children", "1", "--families", "1", "--out", "x", "--kinds", "aunt=1"),
         "unknown family kind"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_status_2(
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("kinward: error: ")
    assert told in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_explain_agrees_with_the_search(
    everything: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = {(row["child"], row["family"]): row for row in everything}
    for child, family in (("C00001", "F00001"), ("C00003", "F00157"), ("C00003", "F00014")):
        words = (
            "explain", child, family, "--children", REGISTRY_RUN[0], "--families",
            *REGISTRY_RUN[1:], "--json",
        )  # fmt: skip
        assert main(words) == 0
        answer = json.loads(capsys.readouterr().out)
        row = pairs[child, family]
        assert answer["log10_lr"] == pytest.approx(float(row["log10_lr"]), abs=1e-9)
        assert (answer["loci"], answer["exclusions"]) == (int(row["loci"]), int(row["exclusions"]))
        assert sum(one["compared"] for one in answer["per_locus"]) == answer["loci"]
        last = answer["per_locus"][-1]["cumulative_log10_lr"]
        assert last == pytest.approx(answer["log10_lr"], abs=1e-9)
        for side in ("father_alone", "mother_alone"):
            if row[side]:
                assert answer[side] == pytest.approx(float(row[side]), abs=1e-9)
            else:
                assert answer[side] is None


def test_explain_names_the_probable_mutation(capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "explain", "C00003", "F00157", "--children", REGISTRY_RUN[0], "--families",
        REGISTRY_RUN[1], "--population", "vietnam",
    )  # fmt: skip
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "M 7 → 6 (1 step)" in text
    assert "20 exclusions" in text


def test_verify_exits_with_0_or_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    cases["likelihood_cases"], cases["lr_cases"] = cases["likelihood_cases"][:20], []
    few = tmp_path / "few.json"
    few.write_text(json.dumps(cases), encoding="utf-8")
    assert run("verify", few) == 0
    assert "20 cases" in capsys.readouterr().out
    assert run("verify", few, "--tolerance", "1e-20", "--json") == 1
    assert json.loads(capsys.readouterr().out)["failures"]
    cases["likelihood_cases"][3]["loglikelihood"] -= 1e-6
    few.write_text(json.dumps(cases), encoding="utf-8")
    assert run("verify", few) == 1
    assert cases["likelihood_cases"][3]["name"] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "options", "expected"),
    [
        ("paternity.fam", (), {"H1": 760.34449}),
        ("halfsib_case.fam", (), {"HS": 34.0}),
        ("kinship-riddle.fam", ("--without", "H2"), {"H1": 569.39892, "H3": 805.11751}),
        ("planecrash-dvi.fam", ("--siblings", "V7", "V8"), {"full siblings": 562708.68}),
    ],
)
def test_lr_of_published_cases(
    file: str,
    options: tuple[str, ...],
    expected: dict[str, float],
    shared_reference: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = shared_reference / "fam" / file
    assert run("lr", path, *options, "--json") == 0
    answer = json.loads(capsys.readouterr().out)["hypotheses"]
    for name, ratio in expected.items():
        assert answer[name]["lr"] == pytest.approx(ratio, rel=1e-7)
    assert run("lr", path, *options) == 0
    assert f"{next(iter(expected.values())):.7g}"[:7] in capsys.readouterr().out


def test_lr_of_a_dvi_file(shared_reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lr", shared_reference / "fam" / "planecrash-dvi.fam", "--json") == 0
    answer = json.loads(capsys.readouterr().out)["comparisons"]
    found = {(one["family"], one["person"]): one["lr"] for one in answer}
    assert len(found) == 40
    expected = {
        ("F1", "V1"): 928.6003,
        ("F2", "V6"): 1_079_809.0,
        ("F3", "V2"): 67_917.21,
        ("F5", "V4"): 3.189844e7,
    }
    for pair, ratio in expected.items():
        assert found[pair] == pytest.approx(ratio, rel=5e-7)


@pytest.mark.parametrize(
    ("loci", "more", "expected"),
    [
        ("vWA,D12S391", (), 38.787),
        ("d12s391, VWA", ("--map", "haldane"), 39.066),
    ],
)
def test_lr_of_linked_loci(
    loci: str,
    more: tuple[str, ...],
    expected: float,
    shared_reference: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = shared_reference / "fam" / "halfsib_case.fam"
    words = ("lr", path, "--linked", loci, "--cm", "11.94", *more)
    assert run(*words, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    ratio = answer["hypotheses"]["HS"]["lr"]
    assert ratio == pytest.approx(expected, abs=6e-4)
    assert not any("are linked" in note for note in answer["notes"])
    assert run(*words) == 0
    assert f"{ratio:.8g}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "words", "expected"),
    [
        ("halfsib_case", ("--linked", "vWA,D12S391"), "--cm X need each other"),
        ("halfsib_case", ("--cm", "12"), "--cm X need each other"),
        ("halfsib_case", ("--linked", "vWA", "--cm", "12"), "two loci"),
        ("halfsib_case", ("--linked", "vWA,vWA", "--cm", "12"), "vWA twice"),
        ("halfsib_case", ("--linked", "vWA,TH01", "--cm", "12"), "no locus 'TH01'"),
        ("planecrash-dvi", ("--linked", "vWA,TH01", "--cm", "12"), "not for a DVI file"),
    ],
)
def test_lr_refuses_a_linked_pair_that_is_none(
    file: str,
    words: tuple[str, ...],
    expected: str,
    shared_reference: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("lr", shared_reference / "fam" / f"{file}.fam", *words) == 2
    assert expected in capsys.readouterr().err


def test_lr_refuses_a_malformed_hypothesis_by_name(
    shared_reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("lr", shared_reference / "fam" / "kinship-riddle.fam") == 2
    assert "hypothesis H2 is malformed: S2 has two mothers" in capsys.readouterr().err


def test_populations_and_loci(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("populations", "--json") == 0
    names = [one["name"] for one in json.loads(capsys.readouterr().out)]
    assert "vietnam" in names
    assert run("populations", "vietnam+uk_dna17_chinese") == 0
    assert "From uk_dna17_chinese" in capsys.readouterr().out
    assert run("loci") == 0
    assert "vWA and D12S391" in capsys.readouterr().out
    assert run("loci", "penta_d") == 0
    assert capsys.readouterr().out.startswith("Penta D: autosomal")


def test_simulation_is_a_function_of_its_seed(tmp_path: Path) -> None:
    words = ("simulate", "--children", "4", "--families", "6", "--loci", "vWA,TH01")
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert run(*words, "--seed", seed, "--out", tmp_path / name) == 0
    for file in ("children.csv", "families.csv", "truth.csv"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b
        assert a != c


def test_convert_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, what in (("children", "180 children"), ("families", "400 families")):
        sheet, back = tmp_path / f"{name}.xlsx", tmp_path / f"{name}.csv"
        assert run("convert", REGISTRY / f"{name}.csv", sheet) == 0
        assert what in capsys.readouterr().out
        assert run("convert", sheet, back) == 0
        assert back.read_bytes() == (REGISTRY / f"{name}.csv").read_bytes()


def subcommands() -> dict[str, argparse.ArgumentParser]:
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError


@pytest.mark.parametrize("command", sorted(subcommands()))
def test_help_explains_itself(command: str) -> None:
    parser = subcommands()[command]
    assert parser.description
    assert parser.epilog is not None
    assert parser.epilog.startswith(f"example:\n  kinward {command} ")
    for action in parser._actions:
        if action.option_strings and action.option_strings[0] not in ("--children", "--families"):
            assert action.help, action.option_strings


# Their examples take long or need a file of the user's.
NOT_RUN = {"lr", "bench", "demo"}


@pytest.mark.parametrize("command", sorted(set(subcommands()) - NOT_RUN))
def test_examples_of_help_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").symlink_to(CHECKOUT / "tests")
    monkeypatch.chdir(tmp_path)
    epilog = subcommands()[command].epilog or ""
    words = shlex.split(epilog.partition("kinward ")[2])
    assert main(words) == 0


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["search", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, kinward.cli\n"
        f"try: kinward.cli.main({words!r})\n"
        "except SystemExit as stop: assert not stop.code\n"
        "heavy = {'numpy', 'numba', 'pyarrow', 'rich', 'jinja2', 'openpyxl'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert "kinward" in done.stdout


def test_the_module_runs_as_the_command() -> None:
    done = python("-m", "kinward", "loci", "vWA", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["name"] == "vWA"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{shlex.quote(sys.executable)} -m kinward loci --json | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == ""


def test_interruption_leaves_nothing(tmp_path: Path) -> None:
    assert run(
        "simulate", "--children", "2000", "--families", "40000", "--kinds", "uncle and aunt=1",
        "--out", tmp_path, "--seed", "1",
    ) == 0  # fmt: skip
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "kinward", "search", str(tmp_path / "children.csv"),
         str(tmp_path / "families.csv"), "--population", "china_han_42str", "--min-log10-lr", "3",
         "--out", str(out), "--rejects", str(tmp_path / "rejects.csv")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    time.sleep(4)
    assert process.poll() is None, "the search ended before it could be interrupted"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "kinward: interrupted; nothing was written\n"
    assert sorted(tmp_path.iterdir()) == before
