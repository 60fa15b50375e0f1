"""What the plan is made from and what it says: plain frozen rows.

Money is counted in the currency's smallest unit (cents), ages in days, distances in kilometres.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import gcd

__all__ = [
    "INFANT_DAYS",
    "Child",
    "Home",
    "HomeNeed",
    "NightNeed",
    "Obstacle",
    "Placing",
    "Plan",
    "Position",
    "Proof",
    "Room",
    "Unit",
    "Unplaced",
    "units_of",
]

INFANT_DAYS = 730
"""A child that may be younger than two years needs as much care as an infant."""
_ADULT_YEARS = 18


@dataclass(frozen=True, slots=True)
class Position:
    """A point on the globe, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Child:
    """One child that waits for a place."""

    code: str
    youngest_days: int | None = None
    """Youngest possible age; None counts as a newborn."""
    medical_level: int = 0
    """Medical ability that the place must have, as an examination found."""
    examined: bool = False
    siblings: str = ""
    """Children with the same code go to the same home; empty for a child alone."""
    origin: Position | None = None
    """Where the child probably comes from, else where it was found."""
    region: str = ""
    """Jurisdiction of the case."""

    @property
    def infant(self) -> bool:
        """Whether the child may be younger than two years."""
        return (self.youngest_days or 0) < INFANT_DAYS

    @property
    def years_below_adult(self) -> int:
        """Whole years that the child is younger than eighteen, at least zero."""
        return max(0, _ADULT_YEARS - (self.youngest_days or 0) // 365)


@dataclass(frozen=True, slots=True)
class Home:
    """One care place as it stands before the plan."""

    key: int
    name: str
    region: str
    position: Position
    medical_level: int
    beds: int
    carers: int
    """Per shift."""
    infants_per_carer: int
    children_per_carer: int
    cost: int
    """Per child and day, in the smallest unit of `currency`."""
    money: int
    """At hand, in the smallest unit of `currency`."""
    currency: str = "CNY"
    infants: int = 0
    """Infants who are there or for whom a bed is kept."""
    older: int = 0
    """Older children who are there or for whom a bed is kept."""
    receiving: bool = True
    """Open, accredited, and with a named officer."""

    @property
    def load_unit(self) -> tuple[int, int, int]:
        """(load of an infant, load of an older child, load that one carer bears), whole numbers."""
        infant, older = self.children_per_carer, self.infants_per_carer
        divisor = gcd(infant, older)
        return infant // divisor, older // divisor, infant * older // divisor

    def carers_for(self, infants: int, older: int) -> int:
        """Return the carers per shift that so many children need; one carer may mind both kinds."""
        per_infant, per_older, per_carer = self.load_unit
        return -(-(infants * per_infant + older * per_older) // per_carer)

    def money_for(self, children: int, days: int) -> int:
        """Return the money that so many children need for `days` days."""
        return children * self.cost * days


@dataclass(frozen=True, slots=True)
class Room:
    """What a home can still take: children, and load on its carers. Never below zero."""

    beds: int
    paid: int
    """Children for whom the money lasts."""
    load: int

    @classmethod
    def of(cls, home: Home, days: int, infants: int = 0, older: int = 0) -> Room:
        """Return the room left at `home` once so many more children have come.

        The money at hand carries those who are there already for the same days.
        """
        infants, older = home.infants + infants, home.older + older
        present = infants + older
        per_infant, per_older, per_carer = home.load_unit
        rest = home.money - home.money_for(present, days)
        each = home.cost * days
        free = home.beds - present
        return cls(
            max(0, free),
            max(0, rest // each if each else free),
            max(0, home.carers * per_carer - infants * per_infant - older * per_older),
        )

    def blocked_by(self, home: Home, unit: Unit) -> tuple[str, ...]:
        """Return what keeps `unit` out: some of `beds`, `carers`, `money`; none if it fits."""
        per_infant, per_older, _ = home.load_unit
        load = unit.infants * per_infant + unit.older * per_older
        return tuple(
            name
            for name, short in (
                ("beds", unit.size > self.beds),
                ("carers", load > self.load),
                ("money", bool(home.cost) and unit.size > self.paid),
            )
            if short
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """Children who go to one home together: siblings, or one child."""

    children: tuple[Child, ...]
    infants: int = field(init=False)
    older: int = field(init=False)
    need: int = field(init=False)

    def __post_init__(self) -> None:
        infants = sum(child.infant for child in self.children)
        object.__setattr__(self, "infants", infants)
        object.__setattr__(self, "older", len(self.children) - infants)
        object.__setattr__(self, "need", max(child.medical_level for child in self.children))

    @property
    def size(self) -> int:
        """Number of children."""
        return len(self.children)

    @property
    def kind(self) -> tuple[int, int, int]:
        """Units of one kind fit the same homes: (infants, older children, medical level)."""
        return self.infants, self.older, self.need


def units_of(children: Iterable[Child]) -> list[Unit]:
    """Return the units of `children`, in order of their first code.

    :raises ValueError: a code occurs twice.
    """
    groups: dict[tuple[bool, str], list[Child]] = {}
    seen: set[str] = set()
    for child in sorted(children, key=lambda row: row.code):
        if child.code in seen:
            raise ValueError(f"child {child.code} is listed twice")
        seen.add(child.code)
        key = (True, child.siblings) if child.siblings else (False, child.code)
        groups.setdefault(key, []).append(child)
    return [Unit(tuple(rows)) for rows in groups.values()]


@dataclass(frozen=True, slots=True)
class Placing:
    """A child and the home that the plan gives it, with the facts that speak for it."""

    child: str
    home: int
    km: int | None
    """From the probable origin; None where that is unknown."""
    same_region: bool
    need: int
    siblings: int
    """Brothers and sisters who come along."""
    nearer: int
    """Receiving homes of sufficient medical ability that are nearer."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why children could not be placed.

    `code` is `no_ability` (no receiving home has the medical ability), `fits_nowhere` (no home
    could take them even if nobody else came) or `taken` (homes that could are filled by this plan).
    """

    code: str
    need: int
    suitable: int
    """Receiving homes of sufficient medical ability."""
    by_beds: int
    """How many of them lack beds; a home may lack several things."""
    by_carers: int
    by_money: int
    nearest: int | None = None
    """The nearest suitable home."""
    nearest_km: int | None = None


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Children, together, for whom there is no place tonight."""

    children: tuple[str, ...]
    obstacle: Obstacle


@dataclass(frozen=True, slots=True)
class HomeNeed:
    """What one home needs for the children it has and those who come, and what it lacks."""

    home: int
    there: int
    coming: int
    days: int
    carers_needed: int
    carers: int
    money_needed: int
    money: int
    currency: str
    beds: int
    carers_short_before: int = 0
    """Carers that were missing before tonight."""
    beds_short_before: int = 0
    money_short_before: int = 0

    @property
    def children(self) -> int:
        """Children there and coming."""
        return self.there + self.coming

    @property
    def beds_short(self) -> int:
        """Beds that are missing."""
        return max(0, self.children - self.beds)

    @property
    def carers_short(self) -> int:
        """Carers per shift that are missing."""
        return max(0, self.carers_needed - self.carers)

    @property
    def money_short(self) -> int:
        """Money that is missing."""
        return max(0, self.money_needed - self.money)

    @property
    def short(self) -> bool:
        """Whether anything is missing."""
        return bool(self.beds_short or self.carers_short or self.money_short)


@dataclass(frozen=True, slots=True)
class NightNeed:
    """What would suffice to place everyone tonight, beyond what is there."""

    beds: int
    carers: int
    money: tuple[tuple[str, int], ...]
    """(currency, amount), in order of currency."""
    homes: tuple[HomeNeed, ...]
    """Every home that would receive children then."""
    to_open: tuple[tuple[int, int], ...]
    """(medical ability, children) for whom no receiving home has the ability."""
    proven: bool
    """Whether no smaller need (by the ranks of the table of weights) suffices."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How good the plan provably is."""

    placed: int
    at_most: int
    """No plan places more children than this."""
    priority: int
    """Points of those placed."""
    priority_at_most: int
    """No plan that places as many has more."""
    km: int
    """Sum of kilometres, with the weights that count as kilometres."""
    km_at_least: int
    """No way to house the children chosen has less."""
    seconds: float

    @property
    def best(self) -> bool:
        """Whether the plan is proved to be the best."""
        return (
            self.placed >= self.at_most
            and self.priority >= self.priority_at_most
            and self.km <= self.km_at_least
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a night."""

    days: int
    placings: tuple[Placing, ...]
    unplaced: tuple[Unplaced, ...]
    needs: tuple[HomeNeed, ...]
    """Every home that receives children by this plan; none is short by anything it lacks now."""
    night: NightNeed | None
    """None when everyone is placed."""
    proof: Proof
