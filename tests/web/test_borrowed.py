"""What Django and allauth say on our pages is said in every language of ours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.adapter import DefaultAccountAdapter
from django.utils import timezone, translation
from django.utils.timesince import TIME_STRINGS, timeuntil

from kinward_web.borrowed import SENTENCES, TIMES
from kinward_web.casework.effects import HANDED_OVER
from kinward_web.casework.presenters.timeline import shown_evidence
from kinward_web.rules.roles import Role

LANGUAGES = ("zh-hans", "vi")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_borrowed_string_is_translated(language):
    with translation.override(language):
        assert not [one for one in SENTENCES if translation.gettext(one) == one]
    said = []
    for code in ("en", language):
        with translation.override(code):
            said.append([time % {"num": 2} for time in TIMES])
    assert not set(said[0]) & set(said[1])


def test_the_strings_are_still_those_that_the_libraries_look_up():
    with translation.override("vi"):
        assert [time % {"num": 3} for time in TIMES] == [
            time % {"num": 3} for time in TIME_STRINGS.values()
        ]
        now = timezone.now()
        left = timeuntil(now + timedelta(days=2, hours=5, seconds=1), now)
        assert left.replace("\xa0", " ") == "2 ngày, 5 giờ"
        said = {str(text) for text in DefaultAccountAdapter.error_messages.values()}
    assert {"Mã không đúng.", "Mật khẩu không đúng."} <= said


def test_the_reason_that_kinward_writes_itself_is_read_in_any_language(office, actor):
    evidence = {"reason": HANDED_OVER}
    reader = actor(Role.WELFARE_WORKER)
    with translation.override("vi"):
        assert [text for _label, text in shown_evidence(reader, evidence)] == [
            "đã trao trẻ cho gia đình"
        ]
        written = {"reason": "handed over to the grandmother"}
        assert [text for _label, text in shown_evidence(reader, written)] == [written["reason"]]
