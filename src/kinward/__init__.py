"""Kinward: bring children rescued from trafficking back to their families.

A likelihood ratio in five lines:

    import kinward as kw

    model = kw.load_model("vietnam")
    father, child = {"vWA": "14/17", "TH01": "6/9.3"}, {"vWA": "14/16", "TH01": "9/9.3"}
    result = kw.paternity_lr(child, father, None, model)
    print(result.log10_lr)

Names are imported when first used, so that `import kinward` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it as true; the module typing would cost more than all
if TYPE_CHECKING:
    from kinward.errors import (
        Fault,
        InputError,
        KinwardError,
        ModelError,
        PedigreeError,
        TooLargeError,
    )
    from kinward.likelihood.missing import LocusResult
    from kinward.likelihood.simple import (
        KinshipModel,
        KinshipResult,
        kinship_lr,
        load_model,
        paternity_lr,
    )
    from kinward.likelihood.verify import VerifyReport, verify_cases
    from kinward.model.pedigree import Pedigree, Person
    from kinward.model.population import FrequencyTable, list_populations

__all__ = [
    "Fault",
    "FrequencyTable",
    "InputError",
    "KinshipModel",
    "KinshipResult",
    "KinwardError",
    "LocusResult",
    "ModelError",
    "Pedigree",
    "PedigreeError",
    "Person",
    "TooLargeError",
    "VerifyReport",
    "kinship_lr",
    "list_populations",
    "load_model",
    "paternity_lr",
    "verify_cases",
]

_HOMES = {
    "kinward.errors": (
        "Fault",
        "InputError",
        "KinwardError",
        "ModelError",
        "PedigreeError",
        "TooLargeError",
    ),
    "kinward.likelihood.missing": ("LocusResult",),
    "kinward.likelihood.simple": (
        "KinshipModel",
        "KinshipResult",
        "kinship_lr",
        "load_model",
        "paternity_lr",
    ),
    "kinward.likelihood.verify": ("VerifyReport", "verify_cases"),
    "kinward.model.pedigree": ("Pedigree", "Person"),
    "kinward.model.population": ("FrequencyTable", "list_populations"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kinward' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
