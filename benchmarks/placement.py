"""Measure the plan of a rescue night: 1,000 children and 500 homes, with room and without.

`python benchmarks/placement.py` prints one row per night. The nights are synthetic.
"""

from __future__ import annotations

import random

from kinward_web.casework.plan import Child, Home, Plan, Position, make_plan

NIGHTS = (
    ("room enough", 1_000, 500, 1.0),
    ("tight", 1_000, 500, 0.38),
    ("beds for half", 1_000, 500, 0.2),
    ("a province", 120, 40, 1.0),
    ("a province, tight", 120, 40, 0.6),
)
SEED = 1


def night(children: int, homes: int, supply: float, seed: int) -> tuple[list[Child], list[Home]]:
    """Return a synthetic night; `supply` scales beds, carers and money."""
    chance = random.Random(seed)
    places = [
        Home(
            key=number,
            name=f"Home {number}",
            region=f"R{number % 31}",
            position=Position(chance.uniform(20, 45), chance.uniform(95, 125)),
            medical_level=chance.choices((0, 1, 2, 3), (4, 3, 2, 1))[0],
            beds=round(chance.randint(2, 12) * supply),
            carers=max(1, round(chance.randint(1, 5) * supply)),
            infants_per_carer=chance.choice((2, 3, 4)),
            children_per_carer=chance.choice((5, 6, 8)),
            cost=chance.randint(8_000, 30_000),
            money=round(chance.randint(1_000_000, 6_000_000) * supply),
            receiving=chance.random() > 0.03,
        )
        for number in range(homes)
    ]
    rows: list[Child] = []
    while len(rows) < children:
        together = chance.choices((1, 2, 3, 5), (85, 10, 4, 1))[0]
        origin = Position(chance.uniform(20, 45), chance.uniform(95, 125))
        siblings = f"S{len(rows)}" if together > 1 else ""
        for _ in range(min(together, children - len(rows))):
            examined = chance.random() < 0.6
            rows.append(
                Child(
                    code=f"C{len(rows):05d}",
                    youngest_days=round(chance.triangular(0, 14 * 365, 365)),
                    medical_level=chance.choices((0, 1, 2, 3), (60, 25, 10, 5))[0]
                    if examined
                    else 0,
                    examined=examined,
                    siblings=siblings,
                    origin=origin if chance.random() < 0.8 else None,
                    region=f"R{chance.randrange(31)}",
                )
            )
    return rows, places


def line(name: str, plan: Plan, children: int, homes: int) -> str:
    """Return the row of one night."""
    proof = plan.proof
    gap = 0.0 if proof.km <= proof.km_at_least else 1 - proof.km_at_least / proof.km
    return (
        f"| {name} | {children:,} × {homes} | {proof.placed:,} | {proof.at_most:,} | "
        f"{proof.priority:,} / {proof.priority_at_most:,} | {gap:.2%} | {proof.seconds:.1f} s |"
    )


def main() -> None:
    """Print the table."""
    print("| night | children × homes | placed | at most | points / at most | gap km | time |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name, children, homes, supply in NIGHTS:
        plan = make_plan(*night(children, homes, supply, SEED), days=30)
        print(line(name, plan, children, homes), flush=True)


if __name__ == "__main__":
    main()
