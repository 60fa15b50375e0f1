"""Lumping of alleles that nobody shows, where it changes no probability.

A partition of the alleles is lumpable for a mutation matrix if the total rate into every class is
the same from all members of a class (Kemeny and Snell 1976, Finite Markov Chains, theorem 6.3.2).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from kinward.model.locus_model import LocusModel

__all__ = ["lump", "lumpable_classes"]

FloatArray = NDArray[np.float64]
LUMPED = "other"


def lumpable_classes(
    matrices: tuple[FloatArray, ...], singletons: Collection[int]
) -> list[list[int]]:
    """Return the coarsest partition, lumpable for all matrices, that keeps singletons apart.

    Starts from all others in one class and splits classes whose members differ in a total rate
    into some class by more than rounding (1e-14 absolute), until none does.
    """
    size = len(matrices[0])
    rest = [i for i in range(size) if i not in singletons]
    classes = [[i] for i in sorted(singletons)]
    if rest:
        classes.append(rest)
    while True:
        indicator = np.zeros((size, len(classes)))
        for c, members in enumerate(classes):
            indicator[members, c] = 1.0
        totals = np.concatenate([matrix @ indicator for matrix in matrices], axis=1)
        split: list[list[int]] = []
        for members in classes:
            split += _split(members, totals)
        if len(split) == len(classes):
            return classes
        classes = split


def _split(members: list[int], totals: FloatArray) -> list[list[int]]:
    groups: list[list[int]] = []
    for member in members:
        for group in groups:
            if np.abs(totals[group[0]] - totals[member]).max() <= 1e-14:
                group.append(member)
                break
        else:
            groups.append([member])
    return groups


def lump(model: LocusModel, shown: Collection[str]) -> LocusModel:
    """Return an equivalent model in which alleles that nobody shows are merged where possible."""
    keep = {model.position(allele) for allele in shown}
    if model.has_silent:
        keep.add(len(model.alleles) - 1)
    if len(model.alleles) - len(keep) < 2:
        return model
    classes = lumpable_classes((model.male, model.female), keep)
    if len(classes) == len(model.alleles):
        return model
    classes.sort(key=lambda members: members[0])
    if model.has_silent:
        classes.sort(key=lambda members: members[-1] == len(model.alleles) - 1)
    first = [members[0] for members in classes]
    labels = tuple(
        model.alleles[members[0]] if len(members) == 1 else f"{LUMPED} {members[0]}"
        for members in classes
    )

    def merged(matrix: FloatArray) -> FloatArray:
        return np.stack([matrix[first][:, members].sum(axis=1) for members in classes], axis=1)

    return LocusModel(
        model.locus,
        labels,
        np.array([model.frequencies[members].sum() for members in classes]),
        merged(model.male),
        merged(model.female),
        model.theta,
        model.chromosome,
    )
