"""Close-relative alternatives: pedigrees in which the child belongs to a registered person's kin.

A likelihood ratio against an unrelated child does not tell a parent from the parent's brother or
sister. Each alternative here is a pedigree of its own, to be computed exactly like the claim.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from kinward.model.pedigree import Pedigree, Person

__all__ = ["CloseAlternative", "close_alternatives"]


@dataclass(frozen=True, slots=True)
class CloseAlternative:
    """Another way in which the child may be related: in words, and as a pedigree.

    `parent` is the id of the registered parent whose place somebody else takes.
    """

    words: str
    parent: str
    pedigree: Pedigree


def close_alternatives(
    pedigree: Pedigree, missing: str, typed: Collection[str]
) -> tuple[CloseAlternative, ...]:
    """Return the alternatives to `missing` being the child, in the order father, mother.

    For each parent who gave a sample: the child's parent is a brother or sister of that person.
    Where neither parent did: a parent with parents in the pedigree is replaced by a brother or
    sister, and a parent with other children by somebody unrelated (half-siblings).
    """
    person = pedigree.people[pedigree.index[missing]]
    parents = [parent for parent in (person.father, person.mother) if parent is not None]
    sampled = [parent for parent in parents if parent in typed]
    return tuple(
        alternative
        for parent in sampled or parents
        for alternative in _for_parent(pedigree, missing, parent, typed)
    )


def _for_parent(
    pedigree: Pedigree, missing: str, parent: str, typed: Collection[str]
) -> Iterator[CloseAlternative]:
    sex = pedigree.people[pedigree.index[parent]].sex
    role, kin = ("father", "brother") if sex == "male" else ("mother", "sister")
    if parent in typed:
        words = f"the true {role} is a {kin} of the registered {role}"
        yield CloseAlternative(words, parent, _sibling_as_parent(pedigree, missing, parent))
        return
    if pedigree.people[pedigree.index[parent]].father is not None:
        words = f"the true {role} is a {kin} of the recorded {role}"
        yield CloseAlternative(words, parent, _sibling_as_parent(pedigree, missing, parent))
    children = [p for p in pedigree.people if parent in (p.father, p.mother)]
    if len(children) > 1:
        words = f"the true {role} is somebody else, so that siblings are half-siblings"
        yield CloseAlternative(words, parent, _stranger_as_parent(pedigree, missing, parent))


def _sibling_as_parent(pedigree: Pedigree, missing: str, parent: str) -> Pedigree:
    people = list(pedigree.people)
    place = pedigree.index[parent]
    if people[place].father is None:
        father, mother = (
            _new(pedigree, "father of " + parent),
            _new(pedigree, "mother of " + parent),
        )
        people += [Person(father, sex="male"), Person(mother, sex="female")]
        # A founder's inbreeding cannot be kept once its parents are in the pedigree.
        people[place] = replace(people[place], father=father, mother=mother, founder_inbreeding=0.0)
    born = people[place]
    sibling = _new(pedigree, "sibling of " + parent)
    people.append(Person(sibling, born.father, born.mother, born.sex))
    return _moved(people, missing, parent, sibling)


def _stranger_as_parent(pedigree: Pedigree, missing: str, parent: str) -> Pedigree:
    stranger = _new(pedigree, "in place of " + parent)
    sex = pedigree.people[pedigree.index[parent]].sex
    return _moved([*pedigree.people, Person(stranger, sex=sex)], missing, parent, stranger)


def _moved(people: list[Person], missing: str, parent: str, new: str) -> Pedigree:
    """Give the missing child another parent; it is then no longer anybody's twin."""
    child = next(person for person in people if person.id == missing)
    alike = [p.id for p in people if child.twin is not None and p.twin == child.twin]
    free = set(alike) if len(alike) == 2 else {missing}
    changed = [replace(p, twin=None) if p.id in free else p for p in people]
    father = new if child.father == parent else child.father
    mother = new if child.mother == parent else child.mother
    place = next(k for k, person in enumerate(changed) if person.id == missing)
    changed[place] = replace(changed[place], father=father, mother=mother)
    single = any((p.father is None) != (p.mother is None) for p in changed)
    return Pedigree.build(changed, allow_single_parent=single)


def _new(pedigree: Pedigree, name: str) -> str:
    """Return an id that nobody in the pedigree has."""
    while name in pedigree.index:
        name += "'"
    return name
