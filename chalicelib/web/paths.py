"""What the parameters of paths mean: rooms share them, so each is described once."""

from typing import Annotated, Final

from pydantic import Field

#: The greatest number that a column of numbers of rows and versions holds; what is asked beyond is refused by name.
INTEGER_MAX: Final = 2**31 - 1
_ID = "01m80ezmgbefm8btvg41ypyz86"

PartnerId = Annotated[
    str, Field(description="A partner: its id (`par_…`) or its code.", examples=["aurora-air", f"par_{_ID}"])
]
PartnerCode = Annotated[str, Field(description="The partner's code.", examples=["aurora-air"])]
ProgramId = Annotated[str, Field(description="A program's id.", examples=[f"prg_{_ID}"])]
MemberId = Annotated[str, Field(description="A member's id; `GET /v1/members` finds it.", examples=[f"mbr_{_ID}"])]
CustomerId = Annotated[str, Field(description="A customer's id.", examples=[f"cus_{_ID}"])]
OutsideSystem = Annotated[
    str,
    Field(
        description="An outside system: `salesforce`, `sfcc`, `oms`, `sap`, `netsuite` or `hrms`.",
        examples=["salesforce"],
    ),
]
Sku = Annotated[
    str, Field(max_length=64, description="An article's number, percent-encoded.", examples=["SHIRT-LS-WHITE"])
]
AccrualId = Annotated[str, Field(description="The id of a recorded event.", examples=[f"acr_{_ID}"])]
EntryId = Annotated[str, Field(description="The id of a ledger entry.", examples=[f"trf_{_ID}"])]
HoldId = Annotated[str, Field(description="A hold's id.", examples=[f"hld_{_ID}"])]
RedemptionId = Annotated[
    str, Field(description="A redemption's id; `GET /v1/redemptions` finds it.", examples=[f"rdm_{_ID}"])
]
AdjustmentId = Annotated[str, Field(description="An adjustment's id.", examples=[f"adj_{_ID}"])]
IncreaseId = Annotated[
    str, Field(description="A request's id; `GET /v1/increase-requests` finds it.", examples=[f"inc_{_ID}"])
]
TenderId = Annotated[str, Field(description="A tender's id.", examples=[f"tnd_{_ID}"])]
FileId = Annotated[str, Field(description="A file's id; `GET /v1/files` finds it.", examples=[f"fil_{_ID}"])]
FileTrialId = Annotated[str, Field(description="A trial's id.", examples=[f"trl_{_ID}"])]
RowNumber = Annotated[int, Field(description="A row of the file; 1 is the first after the header.", examples=[1])]
LayoutId = Annotated[str, Field(description="The code of a layout's ruleset.", examples=["aurora-air.timesheet"])]
RulesetId = Annotated[str, Field(description="A ruleset's code.", examples=["aurora-air.accrual"])]
VersionNumber = Annotated[int, Field(description="The number of a version: 1, 2, 3, …", examples=[1])]
CaseId = Annotated[str, Field(description="The id of a golden case.", examples=["five-years-and-a-half-hour"])]
CodeTableCode = Annotated[str, Field(description="A code table's code.", examples=["aurora-air.event-type"])]
EntryCode = Annotated[
    str, Field(description="The code that the table translates, percent-encoded.", examples=["Regular"])
]
PlanHash = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{64}$",
        description="The hash of a plan of a configuration: 64 hexadecimal digits, in small letters.",
        examples=["9f" * 32],
    ),
]
BacktestId = Annotated[str, Field(description="A back-test's id.", examples=[f"bkt_{_ID}"])]
StatementId = Annotated[
    str, Field(description="A statement's id; `GET /v1/statements` finds it.", examples=[f"exp_{_ID}"])
]
SettlementId = Annotated[
    str, Field(description="A settlement's id; `GET /v1/settlements` finds it.", examples=[f"stl_{_ID}"])
]
PostingId = Annotated[
    str, Field(description="A document of the books; `GET /v1/erp/postings` finds it.", examples=[f"pst_{_ID}"])
]
ExportId = Annotated[str, Field(description="An export's id.", examples=[f"exp_{_ID}"])]
ScheduleName = Annotated[
    str, Field(description="The name of a job; `GET /v1/schedules` lists them.", examples=["expirations"])
]
DeliveryId = Annotated[str, Field(description="A delivery's id.", examples=[f"dlv_{_ID}"])]
DataClass = Annotated[
    str, Field(description="A class of data, as `GET /v1/retention` lists them.", examples=["answers"])
]
UserId = Annotated[str, Field(description="A user's id.", examples=[f"usr_{_ID}"])]
KeyId = Annotated[str, Field(description="A key's id, which is not its text.", examples=[f"key_{_ID}"])]
