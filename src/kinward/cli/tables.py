"""`kinward populations` and `kinward loci`: the packaged figures with their sources."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kinward.cli.console import format_table, print_json
from kinward.cli.options import Commands, add_command, add_json

if TYPE_CHECKING:
    from kinward.model.marker import Locus

__all__ = ["add_to"]


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    parser = add_command(
        commands,
        "populations",
        summary="list the packaged allele frequencies",
        description="List the packaged populations, or show one with its source, licence, cautions "
        "and\nthe number of people sampled at each locus.",
        example="kinward populations china_han_42str",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a population, or several: A+B")
    add_json(parser)
    parser.set_defaults(run=_populations)
    parser = add_command(
        commands,
        "loci",
        summary="list the known loci, kits and linked pairs",
        description="List the loci that Kinward knows, or show one with its other names, its kits, "
        "its\nmutation rates and the loci linked with it.",
        example="kinward loci vWA",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a locus or another name of it")
    add_json(parser)
    parser.set_defaults(run=_loci)


def _populations(args: argparse.Namespace) -> int:
    return _one_population(args) if args.name else _all_populations(args)


def _all_populations(args: argparse.Namespace) -> int:
    from kinward.model.population import list_populations

    known = list_populations()
    if args.json:
        print_json(
            [
                {
                    "name": one.name,
                    "description": one.description,
                    "country": one.country,
                    "n_low": one.n_low,
                    "n_high": one.n_high,
                    "loci": one.loci,
                    "citation": one.citation,
                    "doi": one.doi,
                    "source": one.source,
                    "licence": one.licence,
                    "caution": one.caution,
                }
                for one in known
            ]
        )
        return 0
    rows = [
        (one.name, str(one.loci), _sampled(one.n_low, one.n_high), one.licence, one.citation)
        for one in known
    ]
    print(format_table(("name", "loci", "people", "licence", "citation"), rows, right=(1, 2)))
    return 0


def _sampled(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return "unknown"
    return str(low) if low == high else f"{low}-{high}"


def _one_population(args: argparse.Namespace) -> int:
    from kinward.model.population import load_population

    table = load_population(args.name)
    if args.json:
        print_json(
            {
                "name": table.name,
                "citation": table.citation,
                "licence": table.licence,
                "notes": list(table.notes),
                "digest": table.digest(),
                "loci": {
                    name: {
                        "n": locus.n,
                        "minimum_frequency": locus.minimum_frequency,
                        "frequencies": dict(
                            zip(locus.alleles, locus.frequencies.tolist(), strict=True)
                        ),
                    }
                    for name, locus in table.loci.items()
                },
            }
        )
        return 0
    print(f"{table.name}\nsource: {table.citation}\nlicence: {table.licence}")
    for note in table.notes:
        print(f"note: {note}")
    rows = [
        (
            name,
            "unknown" if locus.n is None else str(locus.n),
            str(len(locus.alleles)),
            locus.alleles[0],
            locus.alleles[-1],
            f"{locus.minimum_frequency:.2g}",
        )
        for name, locus in table.loci.items()
    ]
    header = ("locus", "people", "alleles", "shortest", "longest", "frequency if unlisted")
    print("\n" + format_table(header, rows, right=(1, 2, 3, 4, 5)))
    return 0


def _loci(args: argparse.Namespace) -> int:
    return _one_locus(args) if args.name else _all_loci(args)


def _all_loci(args: argparse.Namespace) -> int:
    from kinward.model.marker import LINKAGE_CUT, all_loci, linked_pairs

    if args.json:
        print_json([_as_json(locus) for locus in all_loci()])
        return 0
    rows = [
        (locus.name, locus.chromosome, locus.kind, str(len(locus.kits)), ", ".join(locus.aliases))
        for locus in all_loci()
    ]
    print(format_table(("locus", "chromosome", "kind", "kits", "also written"), rows, right=(3,)))
    kits: dict[str, int] = {}
    for locus in all_loci():
        for kit in locus.kits:
            kits[kit] = kits.get(kit, 0) + 1
    print("\n" + format_table(("kit", "loci"), [(k, str(n)) for k, n in kits.items()], right=(1,)))
    pairs = [
        (
            f"{pair.first} and {pair.second}",
            f"{pair.cm_sex_average:.1f}",
            f"{pair.recombination_fraction:.3f}",
            "warned of" if pair.recombination_fraction < LINKAGE_CUT else "multiplied",
        )
        for pair in linked_pairs()
    ]
    header = ("on one chromosome", "cM", "recombination", "in a search")
    print("\n" + format_table(header, pairs, right=(1, 2)))
    return 0


def _one_locus(args: argparse.Namespace) -> int:
    from kinward.errors import ModelError
    from kinward.model.marker import find_locus, linked_pairs
    from kinward.model.rates import DEFAULT_RATES, packaged_mutation_rates

    locus = find_locus(args.name)
    if locus is None:
        raise ModelError(f"locus {args.name!r} is not known; `kinward loci` lists those that are")
    if args.json:
        print_json(_as_json(locus))
        return 0
    rates = packaged_mutation_rates()
    own = rates.get(locus.name)
    rate = own or rates[DEFAULT_RATES]
    print(f"{locus.name}: {locus.kind}, chromosome {locus.chromosome}")
    if locus.aliases:
        print(f"also written: {', '.join(locus.aliases)}")
    if locus.grch38_mb is not None:
        print(f"position: {locus.grch38_mb:g} Mb (GRCh38)")
    if locus.kind != "recognised":
        origin = "its own" if own else "the default ones"
        print(f"mutation rates: male {rate.male:g}, female {rate.female:g} ({origin})")
    for pair in linked_pairs():
        if locus.name in (pair.first, pair.second):
            other = pair.second if locus.name == pair.first else pair.first
            fraction = f"{pair.recombination_fraction:.3f}"
            print(f"same chromosome: {other}, {pair.cm_sex_average:.1f} cM, recombines {fraction}")
    print(f"kits: {', '.join(locus.kits) or 'none known'}")
    return 0


def _as_json(locus: Locus) -> dict[str, str | int | float | list[str] | None]:
    return {
        "name": locus.name,
        "kind": locus.kind,
        "chromosome": locus.chromosome,
        "grch38_mb": locus.grch38_mb,
        "cm_sex_average": locus.cm_sex_average,
        "repeat_bp": locus.repeat_bp,
        "aliases": list(locus.aliases),
        "kits": list(locus.kits),
        "linkage_group": locus.linkage_group,
    }
