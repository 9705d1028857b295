"""What the parameters of paths mean: rooms share them, so each is described once."""

from typing import Annotated

from pydantic import Field

_ID = "01m80ezmgbefm8btvg41ypyz86"

PartnerId = Annotated[
    str, Field(description="A partner: its id (`par_…`) or its code.", examples=["aurora-air", f"par_{_ID}"])
]
PartnerCode = Annotated[str, Field(description="The partner's code.", examples=["aurora-air"])]
ProgramId = Annotated[str, Field(description="A program's id.", examples=[f"prg_{_ID}"])]
MemberId = Annotated[str, Field(description="A member's id; `GET /v1/members` finds it.", examples=[f"mbr_{_ID}"])]
AccrualId = Annotated[str, Field(description="The id of a recorded event.", examples=[f"acr_{_ID}"])]
EntryId = Annotated[str, Field(description="The id of a ledger entry.", examples=[f"trf_{_ID}"])]
FileId = Annotated[str, Field(description="A file's id; `GET /v1/files` finds it.", examples=[f"fil_{_ID}"])]
LayoutId = Annotated[str, Field(description="The code of a layout's ruleset.", examples=["aurora-air.timesheet"])]
RulesetId = Annotated[str, Field(description="A ruleset's code.", examples=["aurora-air.accrual"])]
VersionNumber = Annotated[int, Field(description="The number of a version: 1, 2, 3, …", examples=[1])]
CaseId = Annotated[str, Field(description="The id of a golden case.", examples=["five-years-and-a-half-hour"])]
CodeTableCode = Annotated[str, Field(description="A code table's code.", examples=["aurora-air.event-type"])]
EntryCode = Annotated[
    str, Field(description="The code that the table translates, percent-encoded.", examples=["Regular"])
]
BacktestId = Annotated[str, Field(description="A back-test's id.", examples=[f"bkt_{_ID}"])]
DeliveryId = Annotated[str, Field(description="A delivery's id.", examples=[f"dlv_{_ID}"])]
UserId = Annotated[str, Field(description="A user's id.", examples=[f"usr_{_ID}"])]
KeyId = Annotated[str, Field(description="A key's id, which is not its text.", examples=[f"key_{_ID}"])]
