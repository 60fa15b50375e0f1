"""Figures as a reader without training can take them in."""

from __future__ import annotations

import math

__all__ = ["chance_words", "count_words", "percent_words", "ratio_words", "seconds_words"]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def ratio_words(log10: float | None) -> str:
    """Write a likelihood ratio given as its logarithm: `4.2`, `1,300` or `2.5 × 10¹²`."""
    if log10 is None or math.isnan(log10):
        return "–"
    if log10 == -math.inf:
        return "0"
    if -2 <= log10 < 1:
        return f"{10**log10:.2g}"
    if 1 <= log10 < 5:
        return f"{float(f'{10**log10:.2g}'):,.0f}"
    exponent = math.floor(log10)
    front = f"{10 ** (log10 - exponent):.1f}"
    if front == "10.0":
        front, exponent = "1.0", exponent + 1
    return f"{front} × 10{str(exponent).translate(_RAISED)}"


def percent_words(probability: float) -> str:
    """Write a probability in per cent, never rounding up to 100 or down to 0."""
    if probability >= 1.0 - 1e-6:
        return "> 99.9999 %"
    if probability > 0.99:
        digits = min(4, max(1, math.floor(-math.log10(1.0 - probability)) - 1))
        scale = 10 ** (digits + 2)
        return f"{math.floor(probability * scale) / (scale / 100):.{digits}f} %"
    if 0 < probability < 0.001:
        return "under 0.1 %"
    return f"{100 * probability:.1f} %".replace(".0 %", " %")


def chance_words(expected: float) -> str:
    """Write an expected number of chance matches."""
    if expected == 0:
        return "0"
    if expected >= 9.5:
        return f"{expected:,.0f}"
    if expected >= 0.001:
        return f"{expected:.2g}"
    return ratio_words(math.log10(expected))


def count_words(number: int) -> str:
    """Write a whole number with separators."""
    return f"{number:,}"


def seconds_words(seconds: float) -> str:
    """Write a duration."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"
