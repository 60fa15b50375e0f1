"""The machine of a notice that the public may see."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kinward_web.rules.roles import Role
from kinward_web.rules.table import NEW, Machine, Rule, StateRow, Tone

__all__ = ["PUBLICATION"]

_LIAISON = frozenset({Role.FAMILY_LIAISON, Role.POLICE_OFFICER})
_APPROVERS = frozenset({Role.POLICE_OFFICER, Role.WELFARE_WORKER})

PUBLICATION = Machine(
    key="publication",
    label=_("Publication"),
    states=(
        StateRow(
            "draft", _("Draft"), _("Being written; nobody outside sees it."), Tone.WAITING, True
        ),
        StateRow(
            "approved",
            _("Approved"),
            _("Two people of two agencies have approved this very text."),
            Tone.WAITING,
            True,
        ),
        StateRow(
            "published", _("Published"), _("Open to the public until its end."), Tone.ACTIVE, True
        ),
        StateRow(
            "taken_down",
            _("Taken down"),
            _("No longer shown; photographs have been removed."),
            Tone.ENDED,
            True,
        ),
    ),
    rules=(
        Rule(
            "draft",
            _("Draft a notice"),
            (NEW,),
            "draft",
            _LIAISON,
            _("Approval by two people."),
        ),
        Rule(
            "approve",
            _("Approve this text"),
            ("draft",),
            "approved",
            _APPROVERS,
            _("Publication."),
            evidence=("consent",),
            guards=("not_the_author", "text_present"),
            cosigners=(_APPROVERS,),
            second_factor=True,
        ),
        Rule(
            "revise",
            _("Return to draft"),
            ("approved",),
            "draft",
            _LIAISON | _APPROVERS,
            _("A new approval."),
            evidence=("reason",),
        ),
        Rule(
            "publish",
            _("Publish"),
            ("approved",),
            "published",
            _LIAISON,
            _("The notice is open to the public until its end or until a match is confirmed."),
            guards=("family_not_found", "end_in_future"),
        ),
        Rule(
            "discard",
            _("Discard"),
            ("draft", "approved"),
            "taken_down",
            _LIAISON | _APPROVERS,
            _("A new draft at any time."),
            evidence=("reason",),
        ),
        Rule(
            "take_down",
            _("Take down"),
            ("published",),
            "taken_down",
            _LIAISON | _APPROVERS | {Role.SYSTEM},
            _("The notice and its photographs disappear at once."),
            evidence=("reason",),
        ),
        Rule(
            "redraft",
            _("Draft again"),
            ("taken_down",),
            "draft",
            _LIAISON,
            _("Approval by two people."),
            evidence=("reason",),
        ),
    ),
)
