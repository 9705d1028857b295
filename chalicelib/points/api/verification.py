"""/v1/ledger/verify: whether the ledger is what it was, by its hash chain and by its sums."""

from collections.abc import Mapping
from typing import Final, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, NotPermitted
from chalicelib.points.api.whose import program_of
from chalicelib.points.proof import verifying
from chalicelib.points.proof.checks import Break
from chalicelib.points.proof.sealed import KEPT
from chalicelib.points.proof.verifying import ChainVerified, Fault, Kind, SumsVerified
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.shapes import Body, View

blueprint = Blueprint(__name__)

#: What the ids in keys are shown as; ``id`` is shown as its table's.
_PREFIXES: Final[Mapping[str, str]] = {
    "transfer_id": "trf",
    "lot_id": "trf",
    "hold_id": "hld",
    "redemption_id": "rdm",
    "refund_id": "rfd",
    "settlement_id": "stl",
    "posting_id": "pst",
    "tender_id": "tnd",
    "account_id": "acc",
    "program_id": "prg",
}
_OF_TABLE: Final = {kept.table.name: kept.prefix for kept in KEPT}


class VerifyBody(Body):
    """What to verify: a slice of the chain, or of the sums. An answer that is not complete says where to go on."""

    part: Literal["chain", "sums"] = Field(
        description="`chain`: the rows against the signed chain. `sums`: counters and causes, recomputed from the rows."
    )
    from_block: int = Field(default=1, ge=1, description="Of the chain: the first block to compare.")
    to_block: int | None = Field(default=None, ge=1, description="Of the chain: the last one; null: the latest.")
    program_id: str | None = Field(default=None, description="Of the sums: only this program's accounts.")
    after_account: str | None = Field(default=None, description="Of the sums: go on after this account.")


class FaultView(View):
    """A row that is not what was chained, or a break of the chain itself, which has no table."""

    kind: Kind
    block: int = Field(description="The block that says so; 0: found by recomputing.")
    table: str | None
    row: dict[str, str] | None = Field(description="The row's key.")
    columns: list[str] = Field(description="Which columns differ; none: the whole row was put in or taken out.")

    @classmethod
    def of(cls, fault: Fault) -> "FaultView":
        """The view of one fault."""
        return cls(
            kind=fault.kind,
            block=fault.block,
            table=fault.table,
            row=None if fault.key is None else {name: _shown(fault, name) for name in fault.key},
            columns=list(fault.columns),
        )


class BreakView(View):
    """Two records of the ledger that contradict each other, in minor units or counts."""

    code: str
    subject: str = Field(description="The id of the account, entry, lot, hold, … that it is about, hexadecimal.")
    expected: int
    found: int

    @classmethod
    def of(cls, found: Break) -> "BreakView":
        """The view of one break."""
        return cls(code=found.code, subject=found.subject.hex(), expected=found.expected, found=found.found)


class VerifiedView(View):
    """What one slice found; the first fault is the first in order of the chain."""

    verified: bool = Field(description="Nothing wrong was found in this slice.")
    part: Literal["chain", "sums"]
    blocks: int = Field(description="Blocks of the chain that were compared.")
    rows: int = Field(description="Rows that were hashed again.")
    accounts: int = Field(description="Accounts that were recomputed.")
    faults: list[FaultView]
    breaks: list[BreakView]
    complete: bool = Field(description="Nothing is left of what was asked for.")
    next_block: int | None = Field(description="Ask for this `from_block` next.")
    next_account: str | None = Field(description="Ask for this `after_account` next.")

    @classmethod
    def of_chain(cls, found: ChainVerified) -> "VerifiedView":
        """The view of a slice of the chain."""
        return cls(
            verified=not found.faults,
            part="chain",
            blocks=found.last - found.first + 1,
            rows=found.rows,
            accounts=0,
            faults=[FaultView.of(fault) for fault in found.faults],
            breaks=[],
            complete=found.following is None,
            next_block=found.following,
            next_account=None,
        )

    @classmethod
    def of_sums(cls, found: SumsVerified) -> "VerifiedView":
        """The view of a slice of the sums."""
        return cls(
            verified=not found.breaks and not found.faults,
            part="sums",
            blocks=0,
            rows=0,
            accounts=found.accounts,
            faults=[FaultView.of(fault) for fault in found.faults],
            breaks=[BreakView.of(each) for each in found.breaks],
            complete=found.following is None,
            next_block=None,
            next_account=None if found.following is None else public_id("acc", found.following),
        )


class OnlyOwnProgram(NotPermitted):
    """Who is bound to a partner verifies the sums of that partner's programs, one by one: the chain is everybody's."""

    code = "only_own_program"


class WrongPart(InvalidInput):
    """A field of the other part was given: blocks are of the chain, programs and accounts are of the sums."""

    code = "wrong_part"


@endpoint(
    blueprint,
    "POST /v1/ledger/verify",
    scope=Scope.LEDGER_VERIFY,
    idempotent=False,
    raises=[OnlyOwnProgram, WrongPart, NotFound],
)
def verify_ledger(call: Call, body: VerifyBody) -> VerifiedView:
    """Recompute a slice of the hash chain, or of the sums, and name what is not as it was; writes nothing."""
    program_id = None if body.program_id is None else program_of(call, raw_id("prg", body.program_id)).id
    after = None if body.after_account is None else raw_id("acc", body.after_account)
    bounded = call.partner_scope is not None
    if bounded and (body.part == "chain" or program_id is None):
        raise OnlyOwnProgram("Your key is bound to a partner: verify the sums of one of its programs.")
    if body.part == "chain":
        if program_id is not None or after is not None:
            raise WrongPart("The chain runs over all programs: leave program_id and after_account out.")
        return VerifiedView.of_chain(verifying.verify_chain(call.db, body.from_block, last=body.to_block))
    if body.from_block != 1 or body.to_block is not None:
        raise WrongPart("The sums have no blocks: leave from_block and to_block out.")
    return VerifiedView.of_sums(verifying.verify_sums(call.db, program_id=program_id, after=after))


def _shown(fault: Fault, name: str) -> str:
    value = (fault.key or {})[name]
    prefix = _OF_TABLE.get(fault.table or "", "row") if name == "id" else _PREFIXES.get(name)
    return value if prefix is None or len(value) != len("00" * 16) else public_id(prefix, bytes.fromhex(value))
