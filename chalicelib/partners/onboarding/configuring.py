"""The whole configuration of an environment at once: every partner's manifest and all documents, planned and applied.

Partners share documents, so a plan for one of them alone would not hold once another has been applied: all are gone
through one after the other in one transaction, which is kept or taken back as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, Fault, InterlineError
from chalicelib.partners.onboarding import onboarding, plans
from chalicelib.partners.onboarding.applying import refuse
from chalicelib.partners.onboarding.plans import Action, Plan
from chalicelib.records import dataclass
from chalicelib.rules import plan_approvals
from chalicelib.rules.activation import Backtested

_KINDS: Final = ("layouts", "rulesets", "code_tables")


class PlanOutdated(Conflict):
    """What would happen is not what the plan says: plan again."""

    code = "plan_outdated"


@dataclass(frozen=True, slots=True)
class Configured:
    """What applying a configuration did, or in a dry run would do; ``digest`` tells this plan from every other one.

    ``needs_approval``: the steps that change money otherwise than by a rule, where a second person must approve that.
    """

    plans: Sequence[Plan]
    digest: bytes
    dry_run: bool
    needs_approval: Sequence[Fault]

    def count(self, action: Action) -> int:
        """How many steps are of one kind."""
        return sum(step.action == action for plan in self.plans for step in plan.steps)


@dataclass(frozen=True, slots=True)
class _Part:
    """One partner's bundle, and where each part of it is in the whole."""

    code: str
    bundle: Mapping[str, Any]
    places: Mapping[str, str]


def configure(
    db: Connection,
    documents: Mapping[str, Any],
    *,
    shared: bool,
    backtested: Backtested | None = None,
    dry_run: bool,
    expected: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> Configured:
    """Make the environment what the documents say: ``{"manifests", "layouts", "rulesets", "code_tables"}``.

    Each document goes to the partner that it names, one that names none to all of them. What is left out stays as it
    is. ``expected`` is the digest of a plan: what happens is exactly that, or nothing. ``shared`` False refuses
    documents that other partners use as well; ``backtested`` knows the back-tests that approvals are bound to. Raises
    BundleRefused with every fault of every partner, PlanOutdated, and what ``plan_approvals.use`` does for a plan that
    needs approval.
    """
    parts = _parts(documents)
    savepoint = db.begin_nested()
    try:
        done = _applied(db, parts, shared=shared, backtested=backtested, caller=caller, now=now)
        digest = plans.digest(documents, done)
        _require(digest, expected)
        steps = plans.money(done)
        if steps and not dry_run:
            plan_approvals.use(db, digest, steps, caller=caller, now=now)
    except BaseException:
        savepoint.rollback()
        raise
    if dry_run:
        savepoint.rollback()
    else:
        savepoint.commit()
    return Configured(done, digest, dry_run, steps)


def _applied(db: Connection, parts: Sequence[_Part], **how: Any) -> list[Plan]:  # noqa: ANN401 - onboarding's
    """Every part applied, one after the other. Raises BundleRefused with the faults of all of them."""
    done: list[Plan] = []
    faults: dict[Fault, None] = {}
    for part in parts:
        try:
            done.append(onboarding.apply(db, part.bundle, code=part.code, alone=False, dry_run=False, **how))
        except InterlineError as error:
            # A shared document is wrong for every partner, and told once.
            faults |= dict.fromkeys(_located(error, part))
    if faults:
        refuse(list(faults))
    return done


def _require(found: bytes, expected: bytes | None) -> None:
    if expected is not None and found != expected:
        raise PlanOutdated("The environment has changed since the plan was made: plan again. Nothing was changed.")


def _parts(documents: Mapping[str, Any]) -> list[_Part]:
    faults: list[Fault] = []
    manifests = documents["manifests"]
    codes = [str(manifest.get("code")) for manifest in manifests]
    for number, code in enumerate(codes):
        if code in codes[:number]:
            faults.append(Fault(f"/manifests/{number}/code", "repeated", f"There are two manifests of {code}."))
    for kind in _KINDS:
        for number, document in enumerate(documents[kind]):
            owner = document.get("partner")
            if owner is not None and owner not in codes:
                sentence = f"There is no manifest of {owner}, to whom this belongs."
                faults.append(Fault(f"/{kind}/{number}/partner", "unknown_partner", sentence))
    if faults:
        refuse(faults)
    return [_part(documents, number, code) for number, code in sorted(enumerate(codes), key=lambda each: each[1])]


def _part(documents: Mapping[str, Any], number: int, code: str) -> _Part:
    bundle: dict[str, Any] = {"manifest": documents["manifests"][number]}
    places = {"/manifest": f"/manifests/{number}"}
    for kind in _KINDS:
        taken = [place for place, each in enumerate(documents[kind]) if each.get("partner") in {None, code}]
        bundle[kind] = [documents[kind][place] for place in taken]
        places |= {f"/{kind}/{here}": f"/{kind}/{place}" for here, place in enumerate(taken)}
    return _Part(code, bundle, places)


def _located(error: InterlineError, part: _Part) -> list[Fault]:
    """The faults of one partner's bundle, by their places in the whole; other errors are told of its manifest."""
    if not error.faults:
        return [Fault(part.places["/manifest"], error.code, error.message)]
    return [replace(fault, pointer=_place(fault.pointer, part.places)) for fault in error.faults]


def _place(pointer: str, places: Mapping[str, str]) -> str:
    for here, there in places.items():
        if pointer == here or pointer.startswith(f"{here}/"):
            return there + pointer.removeprefix(here)
    return pointer
