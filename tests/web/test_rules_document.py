"""The page of the rules in the documentation is what the tables say."""

from __future__ import annotations

from pathlib import Path

from kinward_web.rules.document import rules_as_markdown
from kinward_web.rules.policy import countries, load_policy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "model" / "casework-rules.md"


def test_page_is_up_to_date():
    written = rules_as_markdown(map(load_policy, countries()))
    assert PAGE.read_text(encoding="utf-8") == written, (
        "run: kinward manage rules_document > docs/model/casework-rules.md"
    )
