"""The engine: one case's whole life, the ways back and out, clocks, and what leaves a trace."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from planner import World

from kinward_web.accounts.api import SYSTEM
from kinward_web.audit.api import AuditEvent, verify
from kinward_web.casework import cases, engine
from kinward_web.casework.guards import live_placement
from kinward_web.casework.models import Case, Message, TransitionRecord
from kinward_web.errors import TransitionRefused
from kinward_web.rules.case import CASE
from kinward_web.rules.evidence import EVIDENCE
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import Role
from kinward_web.rules.table import RESUME

POLICY = load_policy("cn")


@pytest.fixture
def world(office):
    return World(office)


def codes(refused) -> set[str]:
    return {refusal.code for refusal in refused.value.refusals}


# ------------------------------------------------------------------------------ a whole life


def test_from_located_to_closed(world):
    case = world.open("locate")
    way = [
        "rescue",
        "register",
        "clear_medically",
        "receive_into_care",
        "start_tracing",
        "find_family",
        "hand_over",
        "start_follow_up",
        "close",
    ]
    for name in way:
        world.act(case, name)
    assert case.state == "closed"
    records = TransitionRecord.objects.filter(machine="case", subject_id=case.pk)
    assert [record.rule for record in records] == ["locate", *way]
    assert [record.number for record in records] == list(range(1, 11))
    assert case.version == 10
    assert case.wristband
    assert case.sample_a
    assert case.child.born_from < case.child.born_to
    assert case.visits.count() == len(POLICY.visits)
    place = live_placement(case)
    assert place.household_id
    assert place.purpose == "return"
    # The bed in the home became free with the same two signatures.
    assert case.placements.get(home__isnull=False).state == "ended"
    assert verify().sound


@pytest.mark.parametrize(
    ("start", "name", "target"),
    [
        ("rescued", "undo_rescue", "located"),
        ("registered", "reopen_registration", "rescued"),
        ("medical_cleared", "recall_clearance", "registered"),
        ("in_care", "leave_care", "medical_cleared"),
        ("tracing", "pause_tracing", "in_care"),
        ("family_found", "withdraw_finding", "tracing"),
        ("reunited", "take_back", "in_care"),
        ("follow_up", "take_back", "in_care"),
        ("long_term", "end_long_term", "tracing"),
        ("repatriation", "abandon_repatriation", "in_care"),
        ("missing_from_care", "recover", "rescued"),
        ("missing_from_care", "locate_again", "located"),
        ("hold", "protect", "in_care"),
        ("died", "correct_death", "hold"),
    ],
)
def test_way_back(world, start, name, target):
    case = world.case_in(start, resume="in_care" if start == "hold" else None)
    world.act(case, name)
    assert case.state == target
    assert CASE.from_state(target), "and from there the case goes on"


def test_a_hold_never_skips_registration_and_examination(world):
    case = world.case_in("hold", resume="rescued")
    with pytest.raises(TransitionRefused) as refused:
        world.act(case, "protect")
    assert codes(refused) == {"not_examined_yet"}


def test_taking_back_cancels_the_visits(world):
    case = world.case_in("reunited")
    world.act(case, "take_back")
    assert not case.visits.filter(cancelled_at__isnull=True).exists()
    assert live_placement(case).home_id


def test_recall_of_an_examination_asks_for_a_new_one(world):
    case = world.case_in("medical_cleared")
    world.act(case, "recall_clearance")
    world.act(case, "clear_medically", age_days_min=0, age_days_max=20)
    assert case.exams.count() == 2
    assert case.exams.first().age_days_min == 0


# ------------------------------------------------------------------------------ leading back

RESUMES = [
    (rule.name, source, target)
    for rule in CASE.rules
    if rule.target == RESUME
    for source in rule.sources
    for target in CASE.resumable(source)
    if (source, target) != ("hold", "died")
]


@pytest.mark.parametrize(("name", "source", "target"), RESUMES)
def test_goes_on_where_it_stood(world, name, source, target):
    case = world.case_in(source, resume=target)
    receiver = {"which": "other"} if name == "accept_transfer" else {}
    world.act(case, name, **receiver)
    assert case.state == target


def test_wrong_record_of_death_leads_back_past_closing_and_reopening(world):
    """Closing, reopening and correcting a death must not lose where the child really stood."""
    case = world.case_in("in_care")
    for name in ("record_death", "close_after_death", "reopen", "correct_death", "release_hold"):
        world.act(case, name)
    assert case.state == "in_care"


def test_a_second_hold_leads_back_to_the_newer_state(world):
    case = world.case_in("registered")
    world.act(case, "hold")
    world.act(case, "release_hold")
    world.act(case, "clear_medically")
    world.act(case, "hold")
    world.act(case, "release_hold")
    assert case.state == "medical_cleared"


def test_accepted_transfer_moves_the_case(world, office):
    case = world.case_in("transferred", resume="registered")
    old, new = office.agency("welfare"), office.agency("welfare", "other")
    assert case.transfer_to == new
    world.act(case, "accept_transfer", which="other")
    parties = set(case.parties.values_list("agency_id", flat=True))
    assert new.pk in parties
    assert old.pk not in parties
    assert case.transfer_to is None


def test_the_receiver_may_decline(world):
    case = world.case_in("transferred", resume="registered")
    world.act(case, "decline_transfer", which="other")
    assert case.state == "registered"
    assert case.transfer_to is None


def test_whoever_rescues_a_located_child_joins_its_case(world, office):
    case = world.open("locate")
    world.act(case, "rescue", Role.POLICE_OFFICER, "other")
    assert case.parties.filter(agency=office.agency("police", "other")).exists()
    world.act(case, "register", Role.POLICE_OFFICER, "other")


# ------------------------------------------------------------------------------ clocks


def test_clocks_run_from_when_it_happened(world):
    recorded = timezone.now()
    happened = recorded - timedelta(hours=5)
    case = world.open("locate")
    world.act(case, "rescue", moment=recorded, happened_at=happened.isoformat())
    assert case.state_since == happened
    assert case.due_at == happened + POLICY.clock("register")
    assert case.due_at < recorded, "recorded too late, and the page must say so"
    (step,) = [step for step in engine.next_steps(SYSTEM, case) if step.rule.name == "register"]
    assert step.due_at == case.due_at


def test_state_without_a_clock_has_no_deadline(world):
    assert world.case_in("follow_up").due_at is None


def test_located_children_have_a_deadline_from_the_report(world):
    moment = timezone.now() - timedelta(hours=1)
    case = world.open("locate", moment=moment)
    assert case.due_at == moment + POLICY.clock("rescue")


def test_alarm_ends_the_place_and_reaches_every_party(world):
    case = world.case_in("in_care")
    world.act(case, "report_missing")
    assert live_placement(case) is None
    told = Message.objects.filter(case=case, key="missing").values_list("agency_id", flat=True)
    assert set(told) == set(case.parties.values_list("agency_id", flat=True))


# ------------------------------------------------------------------------------ evidence


def test_everything_wrong_is_reported_together(world):
    case = world.case_in("rescued")
    before = case.version
    with pytest.raises(TransitionRefused) as refused:
        engine.transition(
            world.actor(Role.WELFARE_WORKER, "other"),
            case,
            "register",
            {
                "happened_at": (timezone.now() + timedelta(days=1)).isoformat(),
                "wristband": "x" * 25,
                "photographs": [999_999],
                "operation": 999_999,
                "nonsense": 1,
            },
        )
    assert codes(refused) == {
        "role",
        "agency",
        "evidence:happened_at",
        "evidence:place",
        "evidence:operation",
        "evidence:wristband",
        "evidence:photographs",
        "evidence:found_with",
        "evidence:nonsense",
    }
    assert all(refusal.message and refusal.path for refusal in refused.value.refusals)
    case.refresh_from_db()
    assert case.version == before


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("age_days_min", -1),
        ("age_days_min", "twelve"),
        ("age_days_min", 1.5),
        ("age_days_min", True),
        ("age_days_max", 10**12),
        ("sedation", "asleep"),
        ("sedation", ["none"]),
        ("injuries", "   "),
        ("injuries", "x" * 4001),
        ("sample_a", "a\0b"),
        ("happened_at", "yesterday"),
        ("happened_at", "1890-01-01T00:00:00+08:00"),
        ("happened_at", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_wrong_value_is_refused(world, key, wrong):
    case = world.case_in("registered")
    with pytest.raises(TransitionRefused) as refused:
        world.act(case, "clear_medically", **{key: wrong})
    assert codes(refused) == {f"evidence:{key}"}


def test_document_of_another_child_or_kind_does_not_count(world):
    case, other = world.case_in("rescued"), world.child()
    theirs = other.documents.get(kind="photograph")
    letter = case.child.documents.get(kind="other")
    for photographs in ([theirs.pk], [letter.pk]):
        with pytest.raises(TransitionRefused) as refused:
            world.act(case, "register", photographs=photographs)
        assert codes(refused) == {"evidence:photographs"}


def test_guards_speak_before_anything_is_filled_in(world):
    case = world.case_in("medical_cleared")
    steps = {step.rule.name: step for step in engine.next_steps(world.actor("clinician"), case)}
    blocked = steps["receive_into_care"]
    assert {refusal.code for refusal in blocked.refusals} == {"role", "not_placed"}
    assert not blocked.allowed
    assert steps["recall_clearance"].allowed


def test_every_item_of_evidence_names_a_path():
    assert all(item.label and item.path for item in EVIDENCE.values())


def test_ages_in_the_wrong_order_and_codes_in_use_are_refused(world):
    taken = world.case_in("medical_cleared")
    case = world.case_in("registered")
    with pytest.raises(TransitionRefused) as refused:
        world.act(case, "clear_medically", age_days_min=401, sample_a=taken.sample_a)
    assert codes(refused) == {"age_range", "sample_taken"}
    case = world.case_in("rescued")
    with pytest.raises(TransitionRefused) as refused:
        world.act(case, "register", wristband=taken.wristband)
    assert codes(refused) == {"wristband_taken"}


def test_operation_that_has_not_started_is_refused(world):
    world.operation.starts_at = timezone.now() + timedelta(hours=1)
    world.operation.save()
    with pytest.raises(TransitionRefused) as refused:
        world.open("rescue")
    # A planned operation is sealed: it looks as if there were none.
    assert codes(refused) == {"evidence:operation"}


# ------------------------------------------------------------------------------ traces


def test_one_audit_event_per_transition_and_none_holds_a_name(world):
    case = world.case_in("medical_cleared")
    events = AuditEvent.objects.filter(subject=f"case:{case.code}")
    assert [event.act for event in events] == [
        "case.rescue",
        "case.register",
        "case.clear_medically",
    ]
    assert "Synthetic" not in str([event.detail for event in events])
    digests = TransitionRecord.objects.filter(machine="case", subject_id=case.pk)
    assert [event.detail["evidence"] for event in events] == [
        record.evidence_digest for record in digests
    ]


def test_one_audit_event_per_refusal(world):
    case = world.case_in("rescued")
    with pytest.raises(TransitionRefused):
        engine.transition(world.actor("clinician"), case, "register", {})
    event = AuditEvent.objects.last()
    assert event.act == "case.refused"
    assert event.detail["step"] == "register"
    assert "role" in event.detail["codes"]


def test_a_case_that_is_not_opened_leaves_only_the_refusal(world):
    child = world.child()
    with pytest.raises(TransitionRefused):
        cases.open_case(world.actor("clinician"), child.pk, "rescue", {}, region="Henan")
    assert not Case.objects.filter(child=child).exists()
    assert AuditEvent.objects.last().act == "case.refused"


def test_a_place_that_is_not_proposed_leaves_only_the_refusal(world):
    case = world.open("locate")
    with pytest.raises(TransitionRefused) as refused:
        world.propose(case, home=True)
    assert codes(refused) == {"not_in_custody"}
    assert not case.placements.exists()
    event = AuditEvent.objects.last()
    assert (event.act, event.subject) == ("case.refused", f"case:{case.code}")


def test_unknown_and_impossible_steps_name_what_is_possible(world):
    case = world.case_in("rescued")
    actor = world.actor("police_officer")
    for name in ("fly", "close"):
        with pytest.raises(TransitionRefused) as refused:
            engine.transition(actor, case, name, {})
        (refusal,) = refused.value.refusals
        assert refusal.code == "state"
        assert "Register the child" in refusal.path


def test_a_step_on_a_stale_page_is_refused(world):
    case = world.case_in("rescued")
    seen = case.version
    world.act(case, "hold")
    world.act(case, "release_hold")
    rule = CASE.rule("register", "rescued")
    actor = world.actor("police_officer")
    evidence = world.evidence(rule, case, actor, timezone.now())
    with pytest.raises(TransitionRefused) as refused:
        engine.transition(actor, case, "register", evidence, seen=seen)
    assert codes(refused) == {"changed"}
    engine.transition(actor, case, "register", evidence, seen=case.version)


def test_a_version_that_moved_meanwhile_undoes_the_step(world, monkeypatch):
    """The update names the version, should a lock ever fail to hold."""
    case = world.case_in("rescued")
    real = engine.execute

    def late(context, proposal):
        context.subject.version -= 1
        return real(context, proposal)

    monkeypatch.setattr(engine, "execute", late)
    with pytest.raises(Exception, match=r"changed this record|transition"):
        world.act(case, "register")
    case.refresh_from_db()
    assert case.state == "rescued"
    assert TransitionRecord.objects.filter(machine="case", subject_id=case.pk).count() == 1


def test_full_home_receives_at_night_with_a_reason(world):
    home = world.homes["welfare"]
    home.beds = 0
    home.save()
    case = world.case_in("medical_cleared")
    place = world.propose(case, home=True)
    with pytest.raises(TransitionRefused) as refused:
        world.act(place, "receive_at_night")
    assert codes(refused) == {"no_bed_no_reason"}
    world.act(place, "receive_at_night", reason="Three in the morning, nobody else near")
    place.refresh_from_db()
    assert place.over_capacity


def test_a_home_without_its_officer_receives_nobody(world):
    officer = world.homes["welfare"].agency.named_officer
    case = world.case_in("medical_cleared")
    place = world.propose(case, home=True)
    officer.is_active = False
    officer.save()
    with pytest.raises(TransitionRefused) as refused:
        world.act(place, "receive_at_night", Role.POLICE_OFFICER)
    assert codes(refused) == {"not_accredited"}
