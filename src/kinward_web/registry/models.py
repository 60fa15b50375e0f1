"""Campaigns and operations, people, what links them, and documents.

Names and identifying values are encrypted; a blind index finds them. A person is known everywhere
else by its pseudonymous `code`.
"""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kinward_web.fields import EncryptedJSONField, EncryptedTextField

__all__ = [
    "Campaign",
    "Correction",
    "Document",
    "Household",
    "HouseholdMember",
    "Identifier",
    "IdentifierUse",
    "ImportFile",
    "Involvement",
    "Link",
    "Operation",
    "Person",
    "Site",
    "new_code",
]

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_code() -> str:
    """Return a pseudonymous code such as `K7QM-3T9X-B2`, without look-alike characters."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


class _Correctable:
    """A record that can be taken back by a correction."""

    record_kind: ClassVar[str]
    pk: int

    @property
    def record(self) -> str:
        """How a correction names this record."""
        return f"{self.record_kind}:{self.pk}"


class Campaign(models.Model):
    """A campaign with its windows. Personal data: none."""

    name = models.CharField(_("name"), max_length=160, unique=True)
    country = models.CharField(_("country"), max_length=2, default="CN")
    task_force_from = models.DateField(_("task force from"), null=True, blank=True)
    special_until = models.DateField(_("special campaign until"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)

    class Meta:
        """Names, order and constraints."""

        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="campaign_window_in_order",
                condition=Q(task_force_from__isnull=True)
                | Q(special_until__isnull=True)
                | Q(task_force_from__lte=F("special_until")),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Operation(models.Model):
    """An operation; until it starts it is sealed to the people named in `insiders`.

    Personal data: none.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="operations")
    code = models.CharField(_("code"), max_length=40, unique=True)
    name = EncryptedTextField(_("name"))
    lead = models.ForeignKey(
        "accounts.Agency",
        verbose_name=_("leading agency"),
        on_delete=models.PROTECT,
        related_name="operations_led",
    )
    agencies = models.ManyToManyField("accounts.Agency", related_name="operations", blank=True)
    insiders = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="sealed_operations", blank=True
    )
    starts_at = models.DateTimeField(_("start"))
    ended_at = models.DateTimeField(_("end"), null=True, blank=True)

    class Meta:
        """Names and order."""

        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        ordering: ClassVar = ["-starts_at", "code"]

    def __str__(self) -> str:
        return self.code

    @property
    def sealed(self) -> bool:
        """Whether it has not started, so that only its insiders see it."""
        return self.starts_at > timezone.now()


class Site(models.Model):
    """A place where an operation strikes. Personal data: the address of a suspect, encrypted."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="sites")
    region = models.CharField(_("jurisdiction"), max_length=60)
    address = EncryptedTextField(_("address"), blank=True)
    agency = models.ForeignKey(
        "accounts.Agency", on_delete=models.PROTECT, related_name="sites", verbose_name=_("agency")
    )

    class Meta:
        """Names."""

        verbose_name = _("site")
        verbose_name_plural = _("sites")


class Person(models.Model):
    """A child, relative, suspect, buyer, carer or anyone else in a case.

    Personal data: name and everything in `note`, encrypted; sex, birth range, region.
    """

    class Sex(models.TextChoices):
        """Sex as registered."""

        FEMALE = "female", _("female")
        MALE = "male", _("male")
        UNKNOWN = "unknown", _("unknown")

    class Identity(models.TextChoices):
        """How well it is known who the person is."""

        UNKNOWN = "unknown", _("unknown")
        CLAIMED = "claimed", _("claimed, not verified")
        VERIFIED = "verified", _("verified by a document")

    code = models.CharField(_("code"), max_length=16, unique=True, default=new_code)
    name = EncryptedTextField(_("name"), blank=True)
    name_index = models.CharField(max_length=64, blank=True, db_index=True)
    sex = models.CharField(_("sex"), max_length=8, choices=Sex.choices, default=Sex.UNKNOWN)
    born_from = models.DateField(_("born not before"), null=True, blank=True)
    born_to = models.DateField(_("born not after"), null=True, blank=True)
    region = models.CharField(_("region"), max_length=60, blank=True)
    identity = models.CharField(
        _("identity"), max_length=10, choices=Identity.choices, default=Identity.UNKNOWN
    )
    note = EncryptedTextField(_("note"), blank=True)
    entered_by = models.ForeignKey(
        "accounts.Agency", on_delete=models.PROTECT, related_name="+", verbose_name=_("entered by")
    )
    entered_at = models.DateTimeField(auto_now_add=True)
    sealed_with = models.ForeignKey(
        Operation, null=True, blank=True, on_delete=models.PROTECT, related_name="sealed_people"
    )
    """Entered in preparing this operation: until it starts only its insiders see the person."""

    class Meta:
        """Names and constraints."""

        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="person_birth_range_in_order",
                condition=Q(born_from__isnull=True)
                | Q(born_to__isnull=True)
                | Q(born_from__lte=F("born_to")),
            )
        ]

    def __str__(self) -> str:
        return self.code


class Involvement(_Correctable, models.Model):
    """What a person is in the eyes of an investigation, from which source, with what standing.

    Suspects, buyers and brokers bar custody absolutely; only `mistaken` lifts it. Personal data:
    the accusation itself.
    """

    record_kind = "involvement"

    class Part(models.TextChoices):
        """The part a person plays."""

        SUSPECT = "suspect", _("suspect")
        BUYER = "buyer", _("buyer")
        BROKER = "broker", _("broker")
        WITNESS = "witness", _("witness")

    class Standing(models.TextChoices):
        """Legal standing."""

        ALLEGED = "alleged", _("alleged")
        ARRESTED = "arrested", _("arrested")
        CHARGED = "charged", _("charged")
        CONVICTED = "convicted", _("convicted")
        ACQUITTED = "acquitted", _("acquitted")
        MISTAKEN = "mistaken", _("mistaken identity, corrected")

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="involvements")
    operation = models.ForeignKey(
        Operation, null=True, blank=True, on_delete=models.PROTECT, related_name="involvements"
    )
    part = models.CharField(_("part"), max_length=10, choices=Part.choices)
    standing = models.CharField(
        _("standing"), max_length=10, choices=Standing.choices, default=Standing.ALLEGED
    )
    source = EncryptedTextField(_("source"))
    correction = EncryptedTextField(_("why the identity was mistaken"), blank=True)
    entered_by = models.ForeignKey("accounts.Agency", on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Names and indexes."""

        verbose_name = _("involvement")
        verbose_name_plural = _("involvements")
        indexes: ClassVar = [models.Index(fields=["person", "part", "standing"])]


class Link(_Correctable, models.Model):
    """A link between two people, with its source. Never erased: retracted with a reason.

    Personal data: who is related to, paid or met whom.
    """

    record_kind = "link"

    class Kind(models.TextChoices):
        """What joins the two people."""

        PARENT = "parent", _("parent and child")
        PARTNER = "partner", _("partners")
        SIBLING = "sibling", _("siblings")
        KIN = "kin", _("other kin")
        PAYMENT = "payment", _("payment")
        CONTACT = "contact", _("contact")

    first = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="links_from")
    """The parent of a parent–child link; the payer of a payment; else either of the two."""
    second = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="links_to")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    source = EncryptedTextField(_("source"))
    retracted_at = models.DateTimeField(null=True, blank=True)
    retraction = EncryptedTextField(_("why retracted"), blank=True)
    entered_by = models.ForeignKey("accounts.Agency", on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Names and constraints."""

        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints: ClassVar = [
            models.CheckConstraint(name="link_joins_two_people", condition=~Q(first=F("second"))),
            models.UniqueConstraint(
                name="link_once",
                fields=["first", "second", "kind"],
                condition=Q(retracted_at__isnull=True),
            ),
        ]


class Household(models.Model):
    """People who live together. Personal data: the address, encrypted."""

    code = models.CharField(_("code"), max_length=16, unique=True, default=new_code)
    region = models.CharField(_("region"), max_length=60, blank=True)
    address = EncryptedTextField(_("address"), blank=True)
    entered_by = models.ForeignKey("accounts.Agency", on_delete=models.PROTECT, related_name="+")

    class Meta:
        """Names."""

        verbose_name = _("household")
        verbose_name_plural = _("households")

    def __str__(self) -> str:
        return self.code


class HouseholdMember(_Correctable, models.Model):
    """A person who lives, or lived, in a household; living together stays a link afterwards."""

    record_kind = "member"

    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="members")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="households")
    adult = models.BooleanField(_("adult"), default=True)
    until = models.DateField(_("moved out on"), null=True, blank=True)
    retracted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Names and constraints."""

        verbose_name = _("member of a household")
        verbose_name_plural = _("members of a household")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="household_member_once",
                fields=["household", "person"],
                condition=Q(retracted_at__isnull=True),
            )
        ]


class Identifier(models.Model):
    """A telephone, address, identity document, payment account or vehicle.

    Two people who use the same one are linked, unless it belongs to an institution: a hospital's
    telephone or a shelter's address never links anyone. Personal data: the value, encrypted.
    """

    class Kind(models.TextChoices):
        """What it is."""

        PHONE = "phone", _("telephone")
        ADDRESS = "address", _("address")
        IDENTITY_DOCUMENT = "identity_document", _("identity document")
        PAYMENT_ACCOUNT = "payment_account", _("payment account")
        VEHICLE = "vehicle", _("vehicle")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    value = EncryptedTextField(_("value"))
    value_index = models.CharField(max_length=64)
    institution = models.ForeignKey(
        "accounts.Agency",
        verbose_name=_("institution it belongs to"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        """Names and constraints."""

        verbose_name = _("identifier")
        verbose_name_plural = _("identifiers")
        constraints: ClassVar = [
            models.UniqueConstraint(name="identifier_once", fields=["kind", "value_index"])
        ]


class IdentifierUse(_Correctable, models.Model):
    """A person who uses an identifier, and the source that says so."""

    record_kind = "use"

    identifier = models.ForeignKey(Identifier, on_delete=models.PROTECT, related_name="uses")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="identifiers")
    source = EncryptedTextField(_("source"))
    retracted_at = models.DateTimeField(null=True, blank=True)
    entered_by = models.ForeignKey("accounts.Agency", on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Names and constraints."""

        verbose_name = _("use of an identifier")
        verbose_name_plural = _("uses of identifiers")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="identifier_use_once",
                fields=["identifier", "person"],
                condition=Q(retracted_at__isnull=True),
            )
        ]


class Document(_Correctable, models.Model):
    """A photograph or document; the content is encrypted and its metadata stripped.

    Personal data: the content.
    """

    record_kind = "document"

    class Kind(models.TextChoices):
        """What the document is."""

        PHOTOGRAPH = "photograph", _("photograph")
        IDENTITY = "identity", _("identity document")
        MEDICAL = "medical", _("medical document")
        LABORATORY = "laboratory", _("laboratory report")
        VERIFICATION = "verification", _("record of verification")
        BEST_INTEREST = "best_interest", _("best-interest decision")
        COURT = "court", _("court order")
        CONSENT = "consent", _("consent")
        DEATH = "death", _("death certificate")
        OTHER = "other", _("other")

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="documents")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    title = models.CharField(_("title"), max_length=120)
    media_type = models.CharField(max_length=60)
    size = models.PositiveIntegerField()
    """Bytes of the plain content."""
    sha256 = models.CharField(max_length=64)
    """Digest of the plain content as stored, after metadata were stripped."""
    metadata_removed = models.BooleanField(default=True)
    """False for a PDF, from which they cannot be removed reliably."""
    content = models.BinaryField(editable=False)
    """Encrypted as `keyring.encrypt_bytes` does."""
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Names."""

        verbose_name = _("document")
        verbose_name_plural = _("documents")

    def __str__(self) -> str:
        return self.title


class Correction(models.Model):
    """A wrong entry to be taken back: one person proposes it with a reason, another confirms.

    Taking back a link or an accusation can lift a bar to custody, so nobody does it alone.
    Personal data: the reason, encrypted.
    """

    record = models.CharField(max_length=40)
    """`link:ID`, `member:ID`, `use:ID`, `involvement:ID` or `document:ID`."""
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="corrections")
    """On whose page it stands."""
    reason = EncryptedTextField(_("reason"))
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    proposed_at = models.DateTimeField(auto_now_add=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    """When it was confirmed, or withdrawn where `confirmed_by` is empty."""

    class Meta:
        """Order and constraints."""

        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering: ClassVar = ["-proposed_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="correction_open_once", fields=["record"], condition=Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="correction_two_people",
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("proposed_by")),
            ),
        ]


class ImportFile(models.Model):
    """A table uploaded for import, kept between the dry run and the decision.

    Personal data: every row, encrypted; emptied when the import is done or given up.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    """Digest of the file as uploaded."""
    uploaded_at = models.DateTimeField(auto_now_add=True)
    sheets = EncryptedJSONField(null=True)
    """The rows as read, by table."""
    report = EncryptedJSONField(null=True)
    """What the dry run or the import found."""
    imported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first."""

        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering: ClassVar = ["-uploaded_at", "-pk"]
