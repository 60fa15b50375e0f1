"""The sentences of the plan: needs, reasons, obstacles, proof. Money arrives in cents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kinward_web.casework.care.forms import MEDICAL_LEVELS

__all__ = [
    "home_sentence",
    "level_name",
    "money",
    "night_sentence",
    "obstacle_sentence",
    "proof_sentences",
    "reason",
]


def money(amount: int, currency: str) -> str:
    """Return an amount in cents with its currency, without empty decimals."""
    decimals = 0 if amount % 100 == 0 else 2
    return f"{number_format(amount / 100, decimals, force_grouping=True)} {currency}"


def level_name(level: int) -> str:
    """Return the name of a medical ability."""
    return str(dict(MEDICAL_LEVELS)[level])


def _carers(count: int) -> str:
    return ngettext("%(n)d carer", "%(n)d carers", count) % {"n": count}


def _lacks(beds: int, carers: int, amounts: list[str]) -> str:
    parts = []
    if beds:
        parts.append(ngettext("%(n)d bed", "%(n)d beds", beds) % {"n": beds})
    if carers:
        parts.append(_carers(carers))
    parts += amounts
    if len(parts) < 2:
        return "".join(parts)
    return _("%(first)s and %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}


def home_sentence(need: Mapping[str, Any], home: str) -> str:
    """Return what so many children need at a home for so many days, and what is missing.

    :param need: the fields of `plan.HomeNeed`.
    """
    children = need["there"] + need["coming"]
    short = _lacks(
        max(0, children - need["beds"]),
        max(0, need["carers_needed"] - need["carers"]),
        [money(gap, need["currency"])] if (gap := need["money_needed"] - need["money"]) > 0 else [],
    )
    sentence = ngettext(
        "%(n)d child × %(days)d days needs %(carers)s and %(money)s at %(home)s",
        "%(n)d children × %(days)d days need %(carers)s and %(money)s at %(home)s",
        children,
    ) % {
        "n": children,
        "days": need["days"],
        "carers": _carers(need["carers_needed"]),
        "money": money(need["money_needed"], need["currency"]),
        "home": home,
    }
    if short:
        return _("%(need)s; short by %(short)s.") % {"need": sentence, "short": short}
    return _("%(need)s; nothing is missing.") % {"need": sentence}


def night_sentence(night: Mapping[str, Any]) -> str:
    """Return what would suffice to give everyone a place tonight."""
    short = _lacks(
        night["beds"], night["carers"], [money(amount, code) for code, amount in night["money"]]
    )
    if not short:
        return ""
    if night["proven"]:
        return _("%(short)s more would suffice for everyone; less would not.") % {"short": short}
    return _("%(short)s more would suffice for everyone; perhaps less would, too.") % {
        "short": short
    }


def reason(facts: Mapping[str, Any]) -> str:
    """Return why a child goes to its home.

    :param facts: the fields of `plan.Placing`.
    """
    parts = []
    if facts["km"] is None:
        parts.append(_("origin unknown"))
    elif facts["nearer"] == 0:
        parts.append(_("nearest suitable place, %(km)d km") % {"km": facts["km"]})
    else:
        parts.append(
            _("%(km)d km; %(n)d nearer places are full or serve others better")
            % {"km": facts["km"], "n": facts["nearer"]}
        )
    if facts["need"]:
        parts.append(_("has: %(level)s") % {"level": level_name(facts["need"])})
    if facts["siblings"]:
        parts.append(
            ngettext("with %(n)d sibling", "with %(n)d siblings", facts["siblings"])
            % {"n": facts["siblings"]}
        )
    if not facts["same_region"]:
        parts.append(_("outside the jurisdiction"))
    return "; ".join(parts)


def obstacle_sentence(row: Mapping[str, Any], homes: Mapping[int, str]) -> str:
    """Return why children could not be placed.

    :param row: the fields of `plan.Unplaced`.
    :param homes: names of care places by id.
    """
    obstacle, size = row["obstacle"], len(row["children"])
    who = _("Siblings of %(n)d: ") % {"n": size} if size > 1 else ""
    if obstacle["code"] == "no_ability":
        return who + _("no open, accredited place has the medical ability “%(level)s”.") % {
            "level": level_name(obstacle["need"])
        }
    counts = {
        "n": obstacle["suitable"],
        "beds": obstacle["by_beds"],
        "carers": obstacle["by_carers"],
        "money": obstacle["by_money"],
    }
    if obstacle["code"] == "fits_nowhere":
        text = _(
            "they fit nowhere even if nobody else came. Of %(n)d suitable places %(beds)d lack"
            " beds, %(carers)d carers, %(money)d money."
        )
    else:
        text = _(
            "every suitable place is taken by this plan. Of %(n)d, %(beds)d lack beds by then,"
            " %(carers)d carers, %(money)d money."
        )
    sentence = who + text % counts
    if obstacle["nearest"] is not None:
        sentence += " " + _("The nearest would be %(home)s, %(km)d km.") % {
            "home": homes.get(obstacle["nearest"], "?"),
            "km": obstacle["nearest_km"],
        }
    return sentence[:1].upper() + sentence[1:]


def proof_sentences(proof: Mapping[str, Any]) -> list[str]:
    """Return how good the plan provably is."""
    lines = []
    if proof["placed"] >= proof["at_most"]:
        lines.append(_("No plan places more children."))
    else:
        lines.append(
            _("It places %(n)d; whether up to %(most)d are possible was not settled in time.")
            % {"n": proof["placed"], "most": proof["at_most"]}
        )
    if proof["priority"] >= proof["priority_at_most"]:
        lines.append(_("None that places as many serves greater need."))
    else:
        gap = proof["priority_at_most"] - proof["priority"]
        lines.append(
            _("Another choice of as many might serve need better, by %(n)d points at the most.")
            % {"n": gap}
        )
    if proof["km"] <= proof["km_at_least"]:
        lines.append(_("No way to house these children is nearer to where they come from."))
    else:
        share = 100 * (1 - proof["km_at_least"] / proof["km"])
        lines.append(
            _("The sum of distances is at most %(n)s %% above the least possible.")
            % {"n": number_format(100 * share / (100 - share) if share < 100 else 100, 1)}
        )
    return lines
