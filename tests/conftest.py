"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Reference figures kept beside the checkout.

    Their absence skips a test, or fails it where KINWARD_REQUIRE_SHARED is set.
    """
    path = CHECKOUT.parent / "shared" / "reference"
    if not path.is_dir():
        message = "reference figures are not beside the checkout"
        if os.environ.get("KINWARD_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    return path
