"""Plans: what applying documents did or would do, step by step, and the hash that tells one plan from another."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, TypeAlias, get_args

from chalicelib.errors import Fault
from chalicelib.records import dataclass
from chalicelib.rules import canonical

#: The last four are of rules: a version that is stored, and which files do not let decide.
Action: TypeAlias = Literal[
    "create", "change", "unchanged", "awaits_approval", "awaits_promotion", "withdrawn", "behind"
]  # fmt: skip
ACTIONS: tuple[Action, ...] = get_args(Action)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one object. ``before`` and ``after`` hold what changes and nothing personal.

    ``changes`` says the same in sentences where a step is about a whole document. ``awaits_approval``: the version is
    stored, and decides once a second person has approved it. ``awaits_promotion``: once a person promotes it, because
    it would take days away from a version that was promoted by hand. ``withdrawn``: a rollback took this version back.
    ``behind``: the hub has a newer version. ``needs_approval``: it changes money otherwise than by a rule, so the plan
    needs a second person's word. ``seen`` is what the step found, changed or not: it is shown to nobody and is part of
    the plan's hash, so that a plan does not outlive what it was made of.
    """

    kind: Literal["partner", "code_table", "ruleset", "activation", "program", "enrolments", "target"]
    code: str
    action: Action
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[str] = ()
    needs_approval: bool = False
    seen: Any = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying a bundle did, or in a dry run would do."""

    partner: str
    dry_run: bool
    steps: Sequence[Step]

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return any(step.action in {"create", "change"} for step in self.steps)


def money(plans: Sequence[Plan]) -> list[Fault]:
    """The steps that need a second person's word, one fault each; a document that partners share is told once."""
    found = {
        (step.kind, step.code if step.kind == "code_table" else f"{plan.partner} {step.code}"): step
        for plan in reversed(plans)
        for step in plan.steps
        if step.needs_approval
    }
    return [
        Fault(
            f"/{kind}/{code.rpartition(' ')[2]}",
            "approval_required",
            f"{kind.replace('_', ' ')} {code}: {_said(step)}.",
        )
        for (kind, code), step in sorted(found.items(), key=lambda each: each[0])
    ]


def _said(step: Step) -> str:
    return "; ".join(step.changes) or f"{', '.join(step.after)} would be another one"


def digest(documents: Mapping[str, Any], plans: Sequence[Plan]) -> bytes:
    """The SHA-256 of what is to be applied, of what it found, and of every step that it takes.

    The same documents on the same environment give the same hash, whoever asks and whenever; anything else another.
    """
    steps = [
        # The sentences are left out: they follow the order in which a document happens to be written.
        [plan.partner, step.kind, step.code, step.action, step.before, step.after, step.needs_approval, step.seen]
        for plan in plans
        for step in plan.steps
    ]
    return canonical.digest(canonical.text(documents) + json.dumps(steps, sort_keys=True, default=_text))


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
