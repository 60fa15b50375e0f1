"""The machine of a placement: where a child sleeps, and with whom."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kinward_web.rules.roles import Role
from kinward_web.rules.table import NEW, Machine, Rule, StateRow, Tone

__all__ = ["LIVE_PLACEMENT", "PLACEMENT"]

_WELFARE = frozenset({Role.WELFARE_WORKER})
_POLICE_OR_WELFARE = _WELFARE | {Role.POLICE_OFFICER}
_ANY_CARER = _POLICE_OR_WELFARE | {Role.CLINICIAN}

LIVE_PLACEMENT = ("placed", "emergency_removal")
"""States in which the child is, or was until this moment, at the place."""

PLACEMENT = Machine(
    key="placement",
    label=_("Placement"),
    states=(
        StateRow("proposed", _("Proposed"), _("Named, not yet screened."), Tone.WAITING, rail=True),
        StateRow(
            "cleared",
            _("Cleared"),
            _("Screened and found free of bars; the clearance lasts for a limited time."),
            Tone.WAITING,
            rail=True,
        ),
        StateRow("placed", _("Placed"), _("The child is there."), Tone.ACTIVE, rail=True),
        StateRow("ended", _("Ended"), _("The child is no longer there."), Tone.ENDED, True, True),
        StateRow(
            "emergency_removal",
            _("Emergency removal"),
            _("The child must leave this place now."),
            Tone.URGENT,
        ),
    ),
    rules=(
        Rule(
            "propose",
            _("Propose this place"),
            (NEW,),
            "proposed",
            _ANY_CARER,
            _("Screening of everyone who would live with, escort or pay for the child."),
            optional=("reason",),
            guards=("case_in_custody",),
        ),
        Rule(
            "clear",
            _("Clear this place"),
            ("proposed",),
            "cleared",
            _POLICE_OR_WELFARE,
            _("The child may be brought here while the clearance lasts."),
            guards=(
                "case_in_custody",
                "institution_accredited",
                "return_family_found",
                "custody_clear",
            ),
        ),
        Rule(
            "place",
            _("Bring the child here"),
            ("cleared",),
            "placed",
            _ANY_CARER,
            _("Care; for a family, the hand-over."),
            evidence=("happened_at", "receiving_person", "escort"),
            guards=(
                "case_in_custody",
                "not_placed_elsewhere",
                "bed_free",
                "institution_accredited",
                "clearance_fresh",
                "custody_clear",
                "return_signed",
            ),
        ),
        Rule(
            "receive_at_night",
            _("Receive now in a hospital or accredited home"),
            ("proposed",),
            "placed",
            _ANY_CARER,
            _("A safe bed at once; papers follow in the morning."),
            evidence=("happened_at", "receiving_person"),
            optional=("reason",),
            guards=(
                "case_in_custody",
                "not_placed_elsewhere",
                "is_institution",
                "nobody_involved",
                "institution_accredited",
                "bed_free_or_reason",
            ),
        ),
        Rule(
            "lapse",
            _("Let the clearance lapse"),
            ("cleared",),
            "proposed",
            _POLICE_OR_WELFARE | {Role.SYSTEM},
            _("A new screening."),
            evidence=("reason",),
        ),
        Rule(
            "withdraw",
            _("Withdraw this place"),
            ("proposed", "cleared"),
            "ended",
            _ANY_CARER,
            _("Another place can be proposed."),
            evidence=("reason",),
        ),
        Rule(
            "end",
            _("End the placement"),
            ("placed",),
            "ended",
            # Kinward itself ends the place of a child who went missing, died or arrived abroad.
            _ANY_CARER | {Role.SYSTEM},
            _("The bed is free for another child."),
            evidence=("happened_at", "reason"),
        ),
        Rule(
            "remove_now",
            _("Order the removal now"),
            ("placed",),
            "emergency_removal",
            _POLICE_OR_WELFARE,
            _("The police fetch the child; a hospital or accredited home may receive at once."),
            evidence=("reason",),
        ),
        Rule(
            "settle_removal",
            _("Record that the child has been fetched"),
            ("emergency_removal",),
            "ended",
            _POLICE_OR_WELFARE,
            _("The bed is free for another child."),
            evidence=("happened_at", "receiving_person"),
            clock="settle_removal",
        ),
        Rule(
            "cancel_removal",
            _("Cancel a removal ordered in error"),
            ("emergency_removal",),
            "placed",
            _POLICE_OR_WELFARE,
            _("The placement goes on."),
            evidence=("reason",),
            guards=("institution_accredited", "custody_clear"),
            cosigners=(_POLICE_OR_WELFARE,),
            second_factor=True,
        ),
    ),
)
