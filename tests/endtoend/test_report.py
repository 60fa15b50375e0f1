"""From a synthetic campaign through the search to decisions and the page that tells them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from kinward.demo import demo
from kinward.errors import ModelError
from kinward.model.mutation import default_mutation
from kinward.model.population import load_population
from kinward.model.registry import ChildTable
from kinward.report.decision import DecisionRule, decide
from kinward.report.html import write_report
from kinward.report.views import PlantedTruth
from kinward.search.engine import prepare_model, search
from kinward.simulate.campaign import BROTHER, NOT_FATHER, vietnam_campaign
from kinward.simulate.registry import SimulationPlan, simulate_registry

FAMILIES = 1_000


@pytest.fixture(scope="module")
def campaign():
    return vietnam_campaign(FAMILIES)


def searched(children, campaign):
    families = campaign.registry.families
    prepared = prepare_model(children, families, campaign.population, default_mutation())
    return search(children, families, prepared.model, min_log10_lr=3.0, notes=prepared.notes)


@pytest.fixture(scope="module")
def run(campaign):
    return searched(campaign.registry.children, campaign)


@pytest.fixture(scope="module")
def decisions(run):
    return decide(run)


@pytest.fixture(scope="module")
def truth(campaign):
    return {
        child: PlantedTruth(family, missing, words)
        for child, family, missing, _, words in campaign.registry.truth_rows()
    }


@pytest.fixture(scope="module")
def page(run, decisions, truth, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(run, path, title="Trial", synthetic=True, truth=truth, decisions=decisions)
    return path.read_text(encoding="utf-8")


def test_whoever_is_found_is_at_home_and_most_are_found(campaign, run, decisions):
    truth = campaign.registry.truth
    found = [d for d in decisions if d.verdict == "found"]
    for decision in found:
        best = run.candidates.family[decision.candidates[0]]
        assert best == truth.family[decision.child]
        assert truth.slot[decision.child] >= 0
    assert len(found) >= 40


def test_examined_pairs_are_those_of_the_search():
    vietnam = load_population("vietnam")
    plan = SimulationPlan(
        children=40, families=200, populations=((vietnam, 1.0),), missing_rate=0.03, seed=5
    )
    registry = simulate_registry(plan)
    prepared = prepare_model(registry.children, registry.families, vietnam, plan.mutation)
    run = search(registry.children, registry.families, prepared.model, min_log10_lr=3.0)
    compared = 0
    for decision in decide(run):
        if decision.examination is None or decision.rests_on_one_parent:
            continue
        best = run.candidates.log10_lr[decision.candidates[0]]
        examined = decision.examination.story.result.log10_lr
        assert examined == pytest.approx(best, abs=1e-8)
        compared += 1
    assert compared >= 15


def test_a_father_who_is_not_the_biological_one_is_told_as_such(campaign, decisions):
    child = list(campaign.registry.truth.relationship).index(NOT_FATHER)
    decision = decisions[child]
    assert decision.verdict == "undecided"
    assert decision.headline == "The registered mother fits, the registered father does not."
    assert "in confidence" in decision.next_step
    assert any("mother is a sister" in reason for reason in decision.reasons)


def test_the_true_fathers_brother_is_not_taken_for_the_father(campaign, decisions):
    child = list(campaign.registry.truth.relationship).index(BROTHER)
    decision = decisions[child]
    assert decision.verdict == "undecided"
    (alternative,) = decision.examination.alternatives
    assert alternative.margin < 2
    assert any("brother of the registered father" in reason for reason in decision.reasons)
    assert decision.next_step.startswith("Take a sample from the mother")


def test_passing_the_threshold_is_never_enough(run):
    doubtful = decide(run, DecisionRule(close_relative=50.0))
    assert not any(d.verdict == "found" and d.examination.alternatives for d in doubtful)
    crowded = decide(run, DecisionRule(chance=0.0))
    assert not any(d.verdict == "found" for d in crowded)
    unlikely = decide(run, DecisionRule(registered=1e-30))
    assert not any(d.verdict == "found" for d in unlikely)


def test_children_beyond_the_cap_are_said_to_be_unexamined(run):
    told = []
    few = decide(run, DecisionRule(examine=5), lambda done, total: told.append((done, total)))
    assert sum(d.examination is not None for d in few) == 5
    assert told == [(k, 5) for k in range(1, 6)]
    waiting = [d for d in few if d.examination is None and d.verdict != "not found"]
    assert waiting
    assert {d.verdict for d in waiting} == {"undecided"}
    assert all("not been examined" in d.headline for d in waiting)


def test_a_child_registered_twice_is_not_found_twice(campaign, decisions):
    children = campaign.registry.children
    child = next(
        d.child
        for d in decisions
        if d.verdict == "found" and len(d.examination.family.missing) == 1
    )
    rows = np.array([child, child])
    twice = ChildTable(
        np.array(["one", "two"], dtype=object), children.sex[rows], children.genotypes.take(rows)
    )
    both = decide(searched(twice, campaign))
    assert [d.verdict for d in both] == ["undecided", "undecided"]
    assert all("registered twice" in d.reasons[0] for d in both)


class Page(HTMLParser):
    """Collects what a browser would act on, and whether all elements are closed."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr", "rect", "polyline", "line"})

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.attributes = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "action", "xlink:href"):
                self.links.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag


def test_the_page_is_sound_and_needs_nothing_else(page):
    seen = Page(page)
    assert seen.open == []
    assert len(seen.ids) == len(set(seen.ids))
    assert all(link.startswith("#") and link[1:] in seen.ids for link in seen.links)
    assert not {"script", "link", "img", "iframe", "form"} & set(seen.tags)
    assert "style" not in seen.attributes
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_admits_its_own_style_only(page):
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_page_says_what_it_must(page, run, decisions):
    assert "<strong>Synthetic data.</strong>" in page
    assert "No child was assigned to a wrong family." in page
    for word in (run.model.digest(), f"Kinward {run.version}", "stepwise", "STRidER", "θ"):
        assert word in page
    for heading in ("All children", "Chance matches", "Families to look at", "Words explained"):
        assert f">{heading}</h2>" in page
    examined = [d for d in decisions if d.examination is not None]
    assert page.count("<article") == page.count('<svg xmlns="') == len(examined)
    assert len(page) < 1_500_000


def test_real_data_are_not_labelled_synthetic_and_rejected_rows_are_told(run, decisions, tmp_path):
    path = tmp_path / "r.html"
    write_report(run, path, title="Real", synthetic=False, decisions=decisions, rejected=1234)
    text = path.read_text(encoding="utf-8")
    assert "Synthetic" not in text
    assert "Planted" not in text
    assert "1,234 rows of the input were faulty" in text


def test_names_cannot_break_the_page(run, decisions, tmp_path):
    evil = '"><script>alert(1)</script>'
    ids = np.array([f"{evil}{k}" for k in range(len(run.children))], dtype=object)
    families = np.array([f"{evil}{k}" for k in range(len(run.families))], dtype=object)
    hostile = replace(
        run,
        children=replace(run.children, ids=ids),
        families=replace(run.families, family_ids=families),
    )
    path = tmp_path / "r.html"
    write_report(hostile, path, title=evil, synthetic=True)
    seen = Page(path.read_text(encoding="utf-8"))
    assert "script" not in seen.tags
    assert seen.open == []


def test_the_demonstration_writes_what_it_promises(tmp_path):
    told = set()
    outcome = demo(
        tmp_path / "demo", families=600, progress=lambda stage, done, total: told.add(stage)
    )
    assert outcome.wrong == 0
    assert sum(sum(row[1:4]) for row in outcome.counts) == 89
    assert all(path.stat().st_size > 0 for path in outcome.files)
    names = {path.name for path in outcome.files}
    assert {"children.csv", "families.csv", "truth.csv", "results.csv", "report.html"} <= names
    record = json.loads((tmp_path / "demo" / "results.run.json").read_text(encoding="utf-8"))
    assert record["parameters"]["seed"] == 2011
    assert "examine" in told


def test_too_small_a_demonstration_is_refused(tmp_path):
    with pytest.raises(ModelError, match="at least 500"):
        demo(tmp_path, families=10)
