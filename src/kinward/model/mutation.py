"""Mutation models: each one only builds a transition matrix for the alleles of one locus.

Row i, column j of a matrix is the probability that a parent's allele i is handed on as allele j;
rows sum to 1. The conventions are those of Familias and pedmut (Egeland, Pinto and Amorim 2017,
doi:10.1016/j.fsigen.2017.06.004) unless a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model.allele import SILENT, repeat_number
from kinward.model.rates import packaged_mutation_rates

__all__ = [
    "CustomMutation",
    "EqualMutation",
    "MutationModel",
    "MutationScheme",
    "NoMutation",
    "OneStepMutation",
    "ProportionalMutation",
    "SexMutation",
    "StepwiseMutation",
    "default_mutation",
    "mutation_matrix",
    "parse_mutation",
]

FloatArray = NDArray[np.float64]

DEFAULT_RATE2 = 1e-6
"""Rate of change to another microvariant group, as commonly set in Familias case files."""
DEFAULT_RANGE = 0.1
"""Each further repeat is ten times rarer; 97-99 % of observed mutations are of one step."""


class MutationModel(Protocol):
    """Anything that can build a mutation matrix for the (visible) alleles of one locus."""

    def matrix(self, alleles: tuple[str, ...], frequencies: FloatArray) -> FloatArray:
        """Return the matrix, shape (alleles, alleles); raise ModelError if it is impossible."""
        ...

    def describe(self) -> str:
        """Return the model and its parameters in a few words."""
        ...


def _checked(matrix: FloatArray, model: str, largest: float) -> FloatArray:
    """Refuse a negative diagonal; `largest` is the largest rate the alleles allow."""
    if (np.diagonal(matrix) < 0).any():
        raise ModelError(
            f"{model}: the mutation rate is too high for these alleles; "
            f"the largest possible rate is {largest:.6g}"
        )
    return matrix


def _check_rate(model: str, name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ModelError(f"{model}: {name} is {value:g}; give a probability from 0 to 1")


@dataclass(frozen=True, slots=True)
class NoMutation:
    """Alleles are handed on unchanged."""

    def matrix(self, alleles: tuple[str, ...], frequencies: FloatArray) -> FloatArray:
        """Return the identity matrix."""
        return np.eye(len(alleles))

    def describe(self) -> str:
        """Return the model in a few words."""
        return "none"


@dataclass(frozen=True, slots=True)
class EqualMutation:
    """Every other allele is an equally likely result: off-diagonal entries rate / (n - 1)."""

    rate: float

    def __post_init__(self) -> None:
        """Validate the rate."""
        _check_rate("equal", "the rate", self.rate)

    def matrix(self, alleles: tuple[str, ...], frequencies: FloatArray) -> FloatArray:
        """Return the matrix; a single allele cannot mutate."""
        size = len(alleles)
        if size == 1:
            return np.eye(1)
        matrix = np.full((size, size), self.rate / (size - 1))
        np.fill_diagonal(matrix, 1.0 - self.rate)
        return matrix

    def describe(self) -> str:
        """Return the model and its rate."""
        return f"equal {self.rate:g}"


@dataclass(frozen=True, slots=True)
class ProportionalMutation:
    """The result is drawn in proportion to its frequency; the expected rate is `rate`.

    Off-diagonal entries are k q_j, where q are the frequencies p of the visible alleles scaled to
    sum to 1, with k chosen so that sum_i p_i (1 - M_ii) = rate. A silent allele, which does not
    mutate, thus makes the others mutate the more, as in Familias.
    """

    rate: float

    def __post_init__(self) -> None:
        """Validate the rate."""
        _check_rate("proportional", "the rate", self.rate)

    def matrix(self, alleles: tuple[str, ...], frequencies: FloatArray) -> FloatArray:
        """Return the matrix; raise ModelError if the rate leaves a negative diagonal."""
        if len(alleles) == 1:
            return np.eye(1)
        target = frequencies / frequencies.sum()
        expected = float((frequencies * (1.0 - target)).sum())
        scale = self.rate / expected
        matrix = np.tile(scale * target, (len(target), 1))
        np.fill_diagonal(matrix, 1.0 - scale * (1.0 - target))
        return _checked(matrix, "proportional", expected / float((1.0 - target).max()))

    def describe(self) -> str:
        """Return the model and its rate."""
        return f"proportional {self.rate:g}"


def _repeat_numbers(model: str, alleles: tuple[str, ...]) -> tuple[NDArray[np.int64], ...]:
    numbers = [repeat_number(allele) for allele in alleles]
    strange = [a for a, number in zip(alleles, numbers, strict=True) if number is None]
    if strange:
        raise ModelError(
            f"{model}: allele {strange[0]!r} is not a repeat number; "
            "use the equal or proportional model at this locus"
        )
    pairs = np.array(numbers, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@dataclass(frozen=True, slots=True)
class StepwiseMutation:
    """Changes by whole repeats, each further repeat `range` times as likely as the one before.

    Within the microvariant group (same incomplete repeat) weights are range**d, d the difference
    in repeats, normalised to `rate`; `rate2` is spread evenly over the alleles of other groups.
    Without another group rate2 is 0; an allele alone in its group keeps 1 - rate2.
    """

    rate: float
    rate2: float = DEFAULT_RATE2
    range: float = DEFAULT_RANGE

    def __post_init__(self) -> None:
        """Validate the parameters."""
        _check_rate("stepwise", "the rate", self.rate)
        _check_rate("stepwise", "rate2", self.rate2)
        if not 0 < self.range <= 1:
            raise ModelError(f"stepwise: range is {self.range:g}; give a number in (0, 1]")

    def matrix(self, alleles: tuple[str, ...], frequencies: FloatArray) -> FloatArray:
        """Return the matrix; raise ModelError for labels that are no repeat numbers."""
        repeats, group = _repeat_numbers("stepwise", alleles)
        same = group[:, None] == group[None, :]
        distance = np.abs(repeats[:, None] - repeats[None, :])
        weight = np.where(same & (distance > 0), float(self.range) ** distance, 0.0)
        total = weight.sum(axis=1, keepdims=True)
        matrix = np.where(total > 0, self.rate * weight / np.where(total > 0, total, 1.0), 0.0)
        others = (~same).sum(axis=1, keepdims=True)
        matrix = matrix + np.where(same, 0.0, self.rate2 / np.maximum(others, 1))
        np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
        return _checked(matrix, "stepwise", 1.0 - self.rate2)

    def describe(self) -> str:
        """Return the model and its parameters."""
        return f"stepwise {self.rate:g}, rate2 {self.rate2:g}, range {self.range:g}"


@dataclass(frozen=True, slots=True)
class OneStepMutation:
    """Changes by exactly one repeat, up or down alike.

    An end allele sends the whole rate inward, an isolated allele does not mutate. Microvariants
    are refused, since no step of one repeat leads to or from them.
    """

    rate: float

    def __post_init__(self) -> None:
        """Validate the rate."""
        _check_rate("onestep", "the rate", self.rate)

    def matrix(self, alleles: tuple[str, ...], frequencies: FloatArray) -> FloatArray:
        """Return the matrix; raise ModelError for microvariants."""
        repeats, group = _repeat_numbers("onestep", alleles)
        if group.any():
            odd = alleles[int(np.flatnonzero(group)[0])]
            raise ModelError(f"onestep: {odd} is a microvariant; use the stepwise model")
        step = (np.abs(repeats[:, None] - repeats[None, :]) == 1).astype(np.float64)
        count = step.sum(axis=1, keepdims=True)
        matrix: FloatArray = self.rate * step / np.maximum(count, 1.0)
        np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
        return matrix

    def describe(self) -> str:
        """Return the model and its rate."""
        return f"onestep {self.rate:g}"


@dataclass(frozen=True, slots=True, eq=False)
class CustomMutation:
    """A matrix given in full, for the alleles it names (rows and columns in that order)."""

    alleles: tuple[str, ...]
    values: FloatArray

    def __post_init__(self) -> None:
        """Validate shape, sign and row sums."""
        size = len(self.alleles)
        if self.values.shape != (size, size):
            raise ModelError(f"custom: {size} alleles need a {size} by {size} matrix")
        if not np.isfinite(self.values).all() or (self.values < 0).any():
            raise ModelError("custom: entries must be probabilities, none negative")
        if np.abs(self.values.sum(axis=1) - 1.0).max() > 1e-9:
            raise ModelError("custom: every row must sum to 1")

    def matrix(self, alleles: tuple[str, ...], frequencies: FloatArray) -> FloatArray:
        """Return the matrix in the order asked for; raise ModelError for an unnamed allele."""
        position = {allele: i for i, allele in enumerate(self.alleles)}
        unnamed = [allele for allele in alleles if allele not in position]
        if unnamed or len(alleles) != len(self.alleles):
            odd = unnamed[0] if unnamed else next(a for a in self.alleles if a not in alleles)
            raise ModelError(f"custom: the matrix and the frequencies disagree about allele {odd}")
        index = [position[allele] for allele in alleles]
        return self.values[np.ix_(index, index)]

    def describe(self) -> str:
        """Return the kind of model."""
        return f"custom matrix of {len(self.alleles)} alleles"


def mutation_matrix(
    model: MutationModel, alleles: tuple[str, ...], frequencies: FloatArray
) -> FloatArray:
    """Build the matrix of a locus, in which a silent allele neither mutates nor counts.

    `alleles` may end with the silent allele; the model sees the visible ones only.
    """
    if alleles[-1] != SILENT:
        return model.matrix(alleles, frequencies)
    matrix = np.zeros((len(alleles), len(alleles)))
    matrix[:-1, :-1] = model.matrix(alleles[:-1], frequencies[:-1])
    matrix[-1, -1] = 1.0
    return matrix


@dataclass(frozen=True, slots=True)
class SexMutation:
    """The models of the father's and of the mother's meioses at one locus."""

    male: MutationModel
    female: MutationModel

    def describe(self) -> str:
        """Return both models in words, or the one if they are the same."""
        male, female = self.male.describe(), self.female.describe()
        return male if male == female else f"male {male}; female {female}"


@dataclass(frozen=True, slots=True)
class MutationScheme:
    """Mutation models of a run: per locus where known, else `default`."""

    default: SexMutation
    per_locus: Mapping[str, SexMutation] = field(default_factory=lambda: MappingProxyType({}))
    description: str = ""

    def for_locus(self, locus: str) -> SexMutation:
        """Return the models of a locus, by its canonical name."""
        return self.per_locus.get(locus, self.default)

    def describe(self) -> str:
        """Return the scheme in words, for reports."""
        return self.description or self.default.describe()


def default_mutation() -> MutationScheme:
    """Return per-locus, per-sex stepwise models from the packaged rates.

    Rates: see `kinward.model.rates`; rate2 1e-6 and range 0.1.
    """
    rates = packaged_mutation_rates()
    per_locus = {
        locus: SexMutation(StepwiseMutation(rate.male), StepwiseMutation(rate.female))
        for locus, rate in rates.items()
    }
    default = per_locus.pop("default")
    text = f"stepwise, packaged rates per locus and sex, rate2 {DEFAULT_RATE2:g}, range 0.1"
    return MutationScheme(default, MappingProxyType(per_locus), text)


_PARAMETERS = {
    "none": (),
    "equal": ("rate",),
    "proportional": ("rate",),
    "stepwise": ("rate", "rate2", "range"),
    "onestep": ("rate",),
}
_CLASSES = {
    "none": NoMutation,
    "equal": EqualMutation,
    "proportional": ProportionalMutation,
    "stepwise": StepwiseMutation,
    "onestep": OneStepMutation,
}


def build_mutation(name: str, parameters: Mapping[str, float]) -> MutationModel:
    """Build the named model from its parameters; raise ModelError for a word it does not know."""
    if name not in _CLASSES:
        raise ModelError(f"unknown mutation model {name!r}; choose from {', '.join(_CLASSES)}")
    allowed = _PARAMETERS[name]
    for key in parameters:
        if key not in allowed:
            raise ModelError(
                f"{name}: unknown parameter {key!r}; it takes {', '.join(allowed) or 'none'}"
            )
    if "rate" in allowed and "rate" not in parameters:
        raise ModelError(f"{name}: no rate given; for instance {name}:0.002")
    model: MutationModel = _CLASSES[name](**parameters)
    return model


def parse_mutation(text: str) -> MutationScheme:
    """Read a scheme from the command-line grammar.

    `default`, `none`, `equal:0.002`, `stepwise:male=0.002,female=0.0005,rate2=1e-6,range=0.1`;
    `rate=` or a bare number serves both sexes. Raise ModelError, naming the word, if malformed.
    """
    if text == "default":
        return default_mutation()
    name, _, rest = text.partition(":")
    shared: dict[str, float] = {}
    by_sex: dict[str, float] = {}
    for word in filter(None, rest.split(",")):
        key, equals, number = word.partition("=")
        if not equals:
            key, number = "rate", word
        try:
            value = float(number)
        except ValueError:
            raise ModelError(f"mutation {text!r}: {number!r} is not a number") from None
        target = by_sex if key in ("male", "female") else shared
        if key in target:
            raise ModelError(f"mutation {text!r}: {key} is given twice")
        target[key] = value
    if by_sex and "rate" in shared:
        raise ModelError(f"mutation {text!r}: give either one rate or male= and female=")
    if by_sex and len(by_sex) == 1:
        raise ModelError(f"mutation {text!r}: give both male= and female=")
    models = []
    for sex in ("male", "female"):
        parameters = {**shared, "rate": by_sex[sex]} if by_sex else shared
        models.append(build_mutation(name, parameters))
    return MutationScheme(SexMutation(*models), MappingProxyType({}), text)
