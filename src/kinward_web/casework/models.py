"""The case of a child, its placements, and the records that their transitions leave.

States are changed by `engine.transition` alone: triggers in the database, made from the same table
of rules, refuse everything else.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kinward_web.fields import EncryptedJSONField, EncryptedTextField
from kinward_web.rules.table import NEW

__all__ = [
    "CareHome",
    "Case",
    "CaseAssignment",
    "CaseParty",
    "Clearance",
    "LinkClearance",
    "MedicalExam",
    "Message",
    "Placement",
    "PlacementPerson",
    "Proposal",
    "Service",
    "Signature",
    "TransitionRecord",
    "Visit",
]


class Case(models.Model):
    """The case of one child."""

    child = models.OneToOneField("registry.Person", on_delete=models.PROTECT, related_name="case")
    code = models.CharField(_("case"), max_length=16, unique=True)
    operation = models.ForeignKey(
        "registry.Operation",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="cases",
        verbose_name=_("operation"),
    )
    campaign = models.ForeignKey(
        "registry.Campaign", null=True, blank=True, on_delete=models.PROTECT, related_name="cases"
    )
    region = models.CharField(_("jurisdiction"), max_length=60, db_index=True)
    """Where the child was found or is known to be."""
    state = models.CharField(max_length=20, default=NEW)
    version = models.PositiveIntegerField(default=0)
    """Number of transitions made."""
    state_since = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    """When the earliest clocked transition out of this state must have been made."""
    resume_state = models.CharField(max_length=20, blank=True)
    """Where a hold, transfer or closure leads back to."""
    wristband = models.CharField(_("wristband code"), max_length=24, blank=True)
    sample_a = models.CharField(_("sample A"), max_length=40, blank=True)
    rescued_at = models.DateTimeField(_("rescued at"), null=True, blank=True)
    returned_to_buyer = models.BooleanField(_("was sent back to the buyer"), default=False)
    sibling_group = models.CharField(_("kept together as"), max_length=16, blank=True)
    """Children with the same code are believed to be siblings and are placed together."""
    transfer_to = models.ForeignKey(
        "accounts.Agency", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    foreign_agency = models.ForeignKey(
        "accounts.Agency", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    return_placement = models.ForeignKey(
        "casework.Placement", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    """The very place to which both agencies signed the hand-over; no other takes the child."""
    opened_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Names, indexes and constraints."""

        verbose_name = _("case")
        verbose_name_plural = _("cases")
        indexes: ClassVar = [
            models.Index(fields=["state", "due_at"]),
            models.Index(fields=["operation", "state"]),
            models.Index(fields=["campaign", "state"]),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="case_wristband_once", fields=["wristband"], condition=~Q(wristband="")
            ),
            models.UniqueConstraint(
                name="case_sample_a_once", fields=["sample_a"], condition=~Q(sample_a="")
            ),
        ]

    def __str__(self) -> str:
        return self.code


class CaseParty(models.Model):
    """An agency that takes part in a case."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="parties")
    agency = models.ForeignKey(
        "accounts.Agency", on_delete=models.PROTECT, related_name="case_parties"
    )
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One row per agency and case."""

        indexes: ClassVar = [models.Index(name="case_party_of_agency", fields=["agency", "case"])]
        constraints: ClassVar = [
            models.UniqueConstraint(name="case_party_once", fields=["case", "agency"])
        ]


class CaseAssignment(models.Model):
    """A person to whom a case is assigned by name."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="assignments")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="case_assignments"
    )
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One row per person and case."""

        indexes: ClassVar = [models.Index(name="case_assignment_of_user", fields=["user", "case"])]
        constraints: ClassVar = [
            models.UniqueConstraint(name="case_assignment_once", fields=["case", "user"])
        ]


class CareHome(models.Model):
    """A hospital ward, an accredited home or shelter that receives children.

    Personal data: none.
    """

    agency = models.ForeignKey(
        "accounts.Agency", on_delete=models.PROTECT, related_name="care_homes"
    )
    name = models.CharField(_("name"), max_length=160)
    region = models.CharField(_("region"), max_length=60)
    latitude = models.FloatField(_("latitude"))
    longitude = models.FloatField(_("longitude"))
    hospital = models.BooleanField(_("hospital"), default=False)
    medical_level = models.PositiveSmallIntegerField(_("medical ability"), default=0)
    """0 none, 1 nurse by day, 2 nurse at night, 3 hospital."""
    beds = models.PositiveIntegerField(_("beds"))
    carers = models.PositiveIntegerField(_("carers per shift"))
    infants_per_carer = models.PositiveSmallIntegerField(_("infants per carer"), default=3)
    """Infants are younger than two years."""
    children_per_carer = models.PositiveSmallIntegerField(_("children per carer"), default=6)
    cost_per_child_day = models.DecimalField(
        _("money per child and day"), max_digits=10, decimal_places=2
    )
    budget = models.DecimalField(_("money at hand"), max_digits=14, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    open = models.BooleanField(_("open"), default=True)

    class Meta:
        """Names, order and constraints."""

        verbose_name = _("care place")
        verbose_name_plural = _("care places")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="care_home_once", fields=["agency", "name"]),
            models.CheckConstraint(
                name="care_home_ratios_positive",
                condition=Q(infants_per_carer__gt=0) & Q(children_per_carer__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Placement(models.Model):
    """A place for a child: in an institution (`home`) or with private people (`household`)."""

    class Purpose(models.TextChoices):
        """Why the child goes there."""

        CARE = "care", _("care")
        RETURN = "return", _("return to the family")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="placements")
    home = models.ForeignKey(
        CareHome, null=True, blank=True, on_delete=models.PROTECT, related_name="placements"
    )
    household = models.ForeignKey(
        "registry.Household",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="placements",
    )
    purpose = models.CharField(
        _("purpose"), max_length=8, choices=Purpose.choices, default=Purpose.CARE
    )
    state = models.CharField(max_length=20, default=NEW)
    version = models.PositiveIntegerField(default=0)
    state_since = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    over_capacity = models.BooleanField(default=False)
    """Received at night although every bed was taken, with a reason on record."""
    planned = models.BooleanField(default=False)
    """Proposed by an accepted plan of the night."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Names and constraints."""

        verbose_name = _("placement")
        verbose_name_plural = _("placements")
        indexes: ClassVar = [
            models.Index(fields=["home", "state"]),
            # Who occupies which home is counted from this index alone.
            models.Index(
                name="placement_in_state", fields=["state", "home", "state_since", "case"]
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="placement_home_or_household",
                condition=Q(home__isnull=False, household__isnull=True)
                | Q(home__isnull=True, household__isnull=False),
            ),
            models.CheckConstraint(
                name="placement_return_is_private",
                condition=Q(purpose="care") | Q(household__isnull=False),
            ),
            models.UniqueConstraint(
                name="placement_one_bed_per_child",
                fields=["case"],
                condition=Q(state="placed"),
            ),
        ]


class PlacementPerson(models.Model):
    """An adult besides the household who is screened: the escort or the payer."""

    class Capacity(models.TextChoices):
        """Why the person is screened."""

        ESCORT = "escort", _("escort")
        PAYER = "payer", _("payer")
        CARER = "carer", _("carer")

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="people")
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="+")
    capacity = models.CharField(_("capacity"), max_length=8, choices=Capacity.choices)

    class Meta:
        """One row per person and capacity."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                name="placement_person_once", fields=["placement", "person", "capacity"]
            )
        ]


class Clearance(models.Model):
    """The frozen result of one screening: who was screened, what was found, until when it holds."""

    placement = models.ForeignKey(Placement, on_delete=models.PROTECT, related_name="clearances")
    screened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    clear = models.BooleanField()
    result = EncryptedJSONField()
    """The screening as `custody.Screening.to_json` writes it."""
    digest = models.CharField(max_length=64)
    """SHA-256 of the canonical JSON of `result`."""
    screened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-screened_at", "-pk"]


class LinkClearance(models.Model):
    """One link that police and welfare have looked into and cleared, for one case.

    `low` and `high` are the two people (ids in order) and `via` names the very link as the view
    `custody_edge` does: `link:ID`, `household:ID` or `identifier:ID`. In force once both have
    signed.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="link_clearances")
    low = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="+")
    high = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=40)
    reason = EncryptedTextField(_("reason"))
    document = models.ForeignKey("registry.Document", on_delete=models.PROTECT, related_name="+")
    police_signer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    police_signed_at = models.DateTimeField(null=True, blank=True)
    welfare_signer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    welfare_signed_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawal = EncryptedTextField(_("why withdrawn"), blank=True)

    class Meta:
        """Constraints."""

        constraints: ClassVar = [
            models.CheckConstraint(name="link_clearance_in_order", condition=Q(low__lt=F("high"))),
            models.CheckConstraint(
                name="link_clearance_two_people",
                condition=Q(police_signer__isnull=True)
                | Q(welfare_signer__isnull=True)
                | ~Q(police_signer=F("welfare_signer")),
            ),
            models.UniqueConstraint(
                name="link_clearance_once",
                fields=["case", "low", "high", "via"],
                condition=Q(withdrawn_at__isnull=True),
            ),
        ]


class Proposal(models.Model):
    """A transition that waits for signatures of others over the same evidence."""

    machine = models.CharField(max_length=20)
    subject_id = models.BigIntegerField()
    subject_version = models.PositiveIntegerField()
    """Any transition of the subject in between voids the proposal."""
    rule = models.CharField(max_length=40)
    evidence = EncryptedJSONField()
    digest = models.CharField(max_length=64)
    """SHA-256 over machine, subject, version, rule and evidence: what everyone signs."""
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, blank=True)
    """`done`, `withdrawn`, `void` or `expired`."""

    class Meta:
        """One open proposal per rule and subject."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                name="proposal_once",
                fields=["machine", "subject_id", "rule"],
                condition=Q(closed_at__isnull=True),
            )
        ]


class Signature(models.Model):
    """One person's signature under a proposal. Only ever added."""

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="signatures")
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    agency = models.ForeignKey("accounts.Agency", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=30)
    digest = models.CharField(max_length=64)
    signed_at = models.DateTimeField()
    second_factor_at = models.DateTimeField()

    class Meta:
        """One signature per person and per agency."""

        constraints: ClassVar = [
            models.UniqueConstraint(name="signature_once", fields=["proposal", "signer"]),
            models.UniqueConstraint(name="signature_one_per_agency", fields=["proposal", "agency"]),
        ]


class TransitionRecord(models.Model):
    """One transition that was made. Only ever added; `number` is the subject's new version."""

    machine = models.CharField(max_length=20)
    subject_id = models.BigIntegerField()
    number = models.PositiveIntegerField()
    rule = models.CharField(max_length=40)
    source = models.CharField(max_length=20)
    target = models.CharField(max_length=20)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    """None for what Kinward itself does."""
    role = models.CharField(max_length=30)
    agency = models.ForeignKey(
        "accounts.Agency", null=True, on_delete=models.PROTECT, related_name="+"
    )
    channel = models.CharField(max_length=10)
    evidence = EncryptedJSONField()
    evidence_digest = models.CharField(max_length=64)
    proposal = models.ForeignKey(
        Proposal, null=True, blank=True, on_delete=models.PROTECT, related_name="records"
    )
    made_at = models.DateTimeField()

    class Meta:
        """Order, and one record per step."""

        ordering: ClassVar = ["machine", "subject_id", "number"]
        indexes: ClassVar = [
            # The pace of all cases is counted from this index alone.
            models.Index(
                name="transition_pace", fields=["machine", "rule", "subject_id", "made_at"]
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="transition_once", fields=["machine", "subject_id", "number"]
            )
        ]


class MedicalExam(models.Model):
    """One examination by a clinician. Personal data: all of it, encrypted where it is text."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="exams")
    clinician = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    examined_at = models.DateTimeField()
    sedation = models.CharField(_("sedation"), max_length=10)
    injuries = EncryptedTextField(_("injuries and marks"))
    age_days_min = models.PositiveIntegerField(_("youngest possible age, days"))
    age_days_max = models.PositiveIntegerField(_("oldest possible age, days"))
    weight_grams = models.PositiveIntegerField(_("weight, g"), null=True, blank=True)
    note = EncryptedTextField(_("note"), blank=True)
    needs_medical_level = models.PositiveSmallIntegerField(default=0)
    """Medical ability that a place must have, as in `CareHome.medical_level`."""

    class Meta:
        """Newest first; range in order."""

        ordering: ClassVar = ["-examined_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="exam_age_in_order", condition=Q(age_days_min__lte=F("age_days_max"))
            )
        ]


class Visit(models.Model):
    """One planned follow-up visit. Personal data: the finding, encrypted."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="visits")
    key = models.CharField(max_length=10)
    """Key of the policy's visit, such as `day_3`, or `extra`."""
    due_on = models.DateField(_("due on"))
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    visitor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    finding = EncryptedTextField(_("finding"), blank=True)
    concern = models.BooleanField(_("cause for concern"), default=False)
    concern_settled_at = models.DateTimeField(null=True, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=2, default=0)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    """Set when the child is taken back into care before the visit."""

    class Meta:
        """In order of the days."""

        ordering: ClassVar = ["due_on", "pk"]
        indexes: ClassVar = [
            models.Index(
                name="visit_open",
                fields=["due_on", "case"],
                condition=Q(done_at__isnull=True, cancelled_at__isnull=True),
            ),
            models.Index(
                name="visit_concern",
                fields=["case"],
                condition=Q(
                    concern=True, concern_settled_at__isnull=True, cancelled_at__isnull=True
                ),
            ),
        ]


class Service(models.Model):
    """A service given: scholarship, support to the mother, medical, legal. With date and cost."""

    class Kind(models.TextChoices):
        """What is given."""

        SCHOLARSHIP = "scholarship", _("scholarship")
        MOTHER = "mother", _("support to the mother")
        MEDICAL = "medical", _("medical help")
        LEGAL = "legal", _("legal help")
        COUNSELLING = "counselling", _("counselling")
        TRAVEL = "travel", _("travel")
        OTHER = "other", _("other")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="services")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    given_on = models.DateField(_("given on"))
    until = models.DateField(_("until"), null=True, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    note = EncryptedTextField(_("note"), blank=True)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-given_on", "-pk"]


class Message(models.Model):
    """Word to an agency about a case: a new link, a transfer, an alarm. Never holds names."""

    agency = models.ForeignKey("accounts.Agency", on_delete=models.CASCADE, related_name="messages")
    case = models.ForeignKey(Case, null=True, on_delete=models.CASCADE, related_name="messages")
    key = models.CharField(max_length=30)
    """Which message: a key of `casework.messages.TEXTS`."""
    created_at = models.DateTimeField(auto_now_add=True)
    read_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-created_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["agency", "read_at"])]


# Django finds models in this module only.
from kinward_web.casework.board_models import OutboxReceipt  # noqa: E402, F401
from kinward_web.casework.care.models import NightPlan, NightPlanRow  # noqa: E402, F401
