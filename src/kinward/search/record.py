"""What a search returns: an immutable record of the run and all it found."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from kinward.model.locus_model import GeneticModel
from kinward.model.registry import ChildTable, FamilyTable

__all__ = ["Candidates", "ChanceMatches", "FamilyFinding", "SearchRun"]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs of child and missing child, as columns of equal length, read-only.

    `child` and `family` are positions in the tables; `slot` is the row of the missing child in
    the family table; `log10_lr` uses all relatives; `father_alone` and `mother_alone` are the
    log10 LR with only that registered parent typed, both parents taken as unrelated founders, NaN
    unless both are registered and typed; `loci` typed in the child and a relative; `exclusions`
    Mendelian inconsistencies with mutation off. Sorted by child, then log10 LR descending, then
    family, then slot.
    """

    child: NDArray[np.int64]
    family: NDArray[np.int64]
    slot: NDArray[np.int64]
    log10_lr: NDArray[np.float64]
    father_alone: NDArray[np.float64]
    mother_alone: NDArray[np.float64]
    loci: NDArray[np.int16]
    exclusions: NDArray[np.int16]
    sex_conflict: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Freeze the columns."""
        for item in fields(self):
            getattr(self, item.name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.child)


@dataclass(frozen=True, slots=True)
class ChanceMatches:
    """Expected number of unrelated pairs at or above the threshold, beside the number found.

    `family_class` says who is typed (for instance `father and mother`, `mother`, `sibling`);
    `slots` missing children of that class; `expected` with its `standard_error` of simulation;
    `found` all pairs of the class at or above the threshold, true ones included. `one_parent`:
    families with both parents scored with this parent alone, else empty.
    """

    family_class: str
    one_parent: str
    slots: int
    expected: float
    standard_error: float
    found: int


@dataclass(frozen=True, slots=True)
class FamilyFinding:
    """A family whose relatives contradict each other at some loci.

    `impossible`: the model gives the relatives probability zero there, so the family could not be
    searched; otherwise mutation explains it, and the recorded relationships deserve a look.
    """

    family: int
    loci: tuple[str, ...]
    impossible: bool


@dataclass(frozen=True, slots=True, eq=False)
class SearchRun:
    """One search: input, model, parameters, findings.

    `one_parent` lists pairs below the threshold with all relatives but at or above it with one
    registered parent alone: the other may not be the biological parent. `pairs` is the number of
    (child, slot) pairs compared; `seconds` the wall time by stage.
    """

    children: ChildTable
    families: FamilyTable
    model: GeneticModel
    min_log10_lr: float
    candidates: Candidates
    one_parent: Candidates
    findings: tuple[FamilyFinding, ...]
    chance: tuple[ChanceMatches, ...]
    pairs: int
    threads: int
    seed: int
    seconds: dict[str, float]
    notes: tuple[str, ...]
    version: str
