"""The shell: sign-in pages, headers, errors, the menu."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from kinward_web.rules.roles import Role

ROLES = [role for role in Role if role is not Role.SYSTEM]
_INLINE = re.compile(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:", re.IGNORECASE)
_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.S | re.IGNORECASE)


def inline_faults(html: str) -> list[str]:
    """Return what in `html` the content security policy would refuse."""
    faults = _INLINE.findall(re.sub(r"hx-headers=\'[^\']*\'", "", html))
    for match in _SCRIPT.finditer(html):
        data_only = 'type="application/json"' in match["attributes"]
        if match["body"].strip() and not data_only:
            faults.append(match[0])
    return faults


def test_sign_in_page_opens() -> None:
    response = Client().get("/sign-in/")
    assert response.status_code == 200
