"""`kinward lr`: likelihood ratios of one case."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kinward.cli.console import Json, finite, format_table, print_json
from kinward.cli.options import Commands, add_command, add_json

if TYPE_CHECKING:
    from kinward.io.fam_case import FamiliasCase
    from kinward.likelihood.hypotheses import HypothesisResult, VictimMatch
    from kinward.likelihood.linked import LinkedLoci
    from kinward.model.locus_model import GeneticModel

__all__ = ["add_to"]


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "lr",
        summary="likelihood ratios of a Familias case file",
        description="Compute the likelihood ratio of each hypothesis of a Familias file (.fam) "
        "against a\nreference hypothesis, locus by locus, with the frequencies, mutation models "
        "and theta of\nthe file. In a DVI file every unidentified person is compared with every "
        "missing\nperson. Two people of any file can be compared as full siblings. Two linked "
        "loci can enter\nas a pair, exactly, instead of as if they were independent.",
        example="kinward lr case.fam --without H2",
    )
    parser.add_argument("file", metavar="FILE.fam", help="case file of Familias 3")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="leave out a hypothesis; may be given several times",
    )
    parser.add_argument(
        "--reference", metavar="NAME", help="compare with this hypothesis; default: the last one"
    )
    parser.add_argument(
        "--siblings",
        nargs=2,
        metavar=("A", "B"),
        help="compare two typed people as full siblings against unrelated",
    )
    parser.add_argument(
        "--linked",
        metavar="LOCUS_A,LOCUS_B",
        help="take two loci as linked, at the distance that --cm gives; theta 0 only",
    )
    parser.add_argument(
        "--cm", type=float, metavar="X", help="distance of the linked loci in centimorgans"
    )
    parser.add_argument(
        "--map",
        choices=("kosambi", "haldane"),
        default="kosambi",
        help="how recombination follows from distance: with interference between crossovers "
        "(kosambi, the default) or without (haldane)",
    )
    parser.add_argument(
        "--all", action="store_true", help="list also the pairs of a DVI file with LR 1 or less"
    )
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from kinward.io.fam import read_fam
    from kinward.likelihood.hypotheses import case_model, hypothesis_likelihoods, victim_matches

    case = read_fam(args.file, args.without)
    model = case_model(case)
    linked = _linked(args, case)
    notes = (*case.notes, *_linkage_notes(case, linked))
    result, matches = None, None
    if args.siblings:
        result = _siblings(case, model, *args.siblings, linked=linked)
    elif case.victims:
        matches = victim_matches(case, model)
    else:
        result = hypothesis_likelihoods(
            case.hypotheses, case.profiles, model, reference=args.reference, linked=linked
        )
    if args.json:
        answer = _result_json(result) if result is not None else _matches_json(matches or ())
        print_json({"file": args.file, **answer, "notes": list(notes)})
        return 0
    print(_result_text(result) if result is not None else _matches_text(matches or (), args.all))
    for note in notes:
        print(f"note: {note}")
    return 0


def _linked(args: argparse.Namespace, case: FamiliasCase) -> LinkedLoci | None:
    """Return the pair that --linked, --cm and --map name."""
    from kinward.errors import ModelError
    from kinward.likelihood.linked import LinkedLoci, haldane, kosambi

    if args.linked is None and args.cm is None:
        return None
    if args.linked is None or args.cm is None:
        raise ModelError("--linked LOCUS_A,LOCUS_B and --cm X need each other; give both")
    if case.victims and not args.siblings:
        raise ModelError("--linked is for hypotheses and --siblings, not for a DVI file as a whole")
    names = args.linked.split(",")
    if len(names) != 2:
        raise ModelError(f"--linked {args.linked}; give two loci with a comma between them")
    first, second = (_locus_of(case, name.strip()) for name in names)
    fraction = (haldane if args.map == "haldane" else kosambi)(args.cm)
    return LinkedLoci(first, second, fraction, fraction)


def _locus_of(case: FamiliasCase, name: str) -> str:
    """Return the file's own name of a locus, for that name or an alias."""
    from kinward.errors import ModelError
    from kinward.model.marker import find_locus

    known = find_locus(name)
    for own in case.loci:
        if own == name or (known is not None and find_locus(own) is known):
            return own
    raise ModelError(f"{case.file} has no locus {name!r}; choose from {', '.join(case.loci)}")


def _linkage_notes(case: FamiliasCase, linked: LinkedLoci | None) -> list[str]:
    """Say where a product over loci is not exact."""
    from kinward.model.marker import find_locus, linked_among

    together = {find_locus(name) for name in (linked.first, linked.second)} if linked else set()
    notes = [
        f"{pair.first} and {pair.second} are linked, which their product leaves out"
        for pair in linked_among(case.loci)
        if {find_locus(pair.first), find_locus(pair.second)} != together
    ]
    x_linked = [name for name, locus in case.loci.items() if locus.on_x]
    if len(x_linked) > 1:
        names = ", ".join(x_linked)
        notes.append(
            f"loci on the X are inherited together, which their product leaves out: {names}"
        )
    return notes


def _siblings(
    case: FamiliasCase, model: GeneticModel, first: str, second: str, *, linked: LinkedLoci | None
) -> HypothesisResult:
    from kinward.errors import ModelError
    from kinward.likelihood.hypotheses import full_sibling_hypotheses, hypothesis_likelihoods

    people = {person.id: person for person in (*case.people, *case.victims)}
    for name in (first, second):
        if name not in people:
            raise ModelError(f"{case.file} has no person {name!r}; choose from {', '.join(people)}")
    one, two = people[first], people[second]
    hypotheses = full_sibling_hypotheses((one.id, one.sex), (two.id, two.sex))
    profiles = {person.id: person.profile for person in (one, two)}
    return hypothesis_likelihoods(hypotheses, profiles, model, linked=linked)


def _spell(value: float | None) -> str:
    return "impossible" if value is None else f"{value:.8g}"


def _ratio(log10_lr: float | None) -> float | None:
    return None if log10_lr is None else 10.0**log10_lr


def _result_text(result: HypothesisResult) -> str:
    others = [name for name in result.likelihoods if name != result.reference]
    rows = [
        (locus, *(_spell(result.ratios(name)[at]) for name in others))
        for at, locus in enumerate(result.loci)
    ]
    rows.append(("all loci", *(_spell(_ratio(result.log10_lr(name))) for name in others)))
    rows.append(("log10", *(_spell(result.log10_lr(name)) for name in others)))
    table = format_table(("locus", *others), rows, right=range(1, len(others) + 1))
    return f"likelihood ratios against {result.reference}\n\n{table}"


def _result_json(result: HypothesisResult) -> dict[str, Json]:
    return {
        "reference": result.reference,
        "hypotheses": {
            name: {
                "lr": finite(_ratio(result.log10_lr(name))),
                "log10_lr": finite(result.log10_lr(name)),
                "likelihood_per_locus": dict(zip(result.loci, values, strict=True)),
                "lr_per_locus": dict(zip(result.loci, result.ratios(name), strict=True)),
            }
            for name, values in result.likelihoods.items()
        },
    }


def _matches_text(matches: tuple[VictimMatch, ...], everything: bool) -> str:
    rows = [
        (
            one.victim,
            one.family,
            one.missing,
            one.pedigree,
            _spell(_ratio(one.result.log10_lr)),
            str(one.result.loci),
            str(one.result.exclusions),
        )
        for one in matches
        if everything or (one.result.log10_lr or 0.0) > 0
    ]
    header = ("person", "family", "missing", "pedigree", "LR", "loci", "exclusions")
    table = format_table(header, rows, right=(4, 5, 6))
    which = "all" if everything else "those with LR above 1"
    return f"{len(matches)} comparisons, {which}:\n\n{table}"


def _matches_json(matches: tuple[VictimMatch, ...]) -> dict[str, Json]:
    return {
        "comparisons": [
            {
                "person": one.victim,
                "family": one.family,
                "missing": one.missing,
                "pedigree": one.pedigree,
                "lr": finite(_ratio(one.result.log10_lr)),
                "log10_lr": finite(one.result.log10_lr),
                "loci": one.result.loci,
                "exclusions": one.result.exclusions,
                "inconsistent": list(one.result.inconsistent),
            }
            for one in matches
        ]
    }
