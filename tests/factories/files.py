"""Files for tests: a partner with a roster and an hours layout, objects in the inbox, handlers that work on them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from sqlalchemy import select
from sqlalchemy.engine import Row

from chalicelib.files.intake import way
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register.register import InboundFile, of_row
from chalicelib.files.trials import way as trials
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs.programs import Program
from chalicelib.settings import settings
from chalicelib.storage import aws, objects
from chalicelib.storage.engine import Database
from tests.factories import partners, rules

CODE = "acme"
PEOPLE_HEADER = "id,action,first,last,hired,job,country,as of"
HOURS_HEADER = "event,id,day,hours"


def people_layout(**changes: Any) -> dict[str, Any]:
    """A roster layout of acme: delta, no control."""
    columns = {
        "id": {},
        "action": {},
        "first": {"personal": True},
        "last": {"personal": True},
        "hired": {},
        "job": {},
        "country": {},
        "as_of_day": {"header": "as of"},
    }
    fields = {
        "employee_id": {"expr": {"var": "id"}},
        "action": {"expr": {"var": "action"}},
        "first_name": {"expr": {"var": "first"}},
        "last_name": {"expr": {"var": "last"}},
        "hire_date": {"expr": {"parse_date": [{"var": "hired"}, "YYYY-MM-DD"]}},
        "job_code": {"expr": {"var": "job"}},
        "country": {"expr": {"var": "country"}},
        "effective_date": {"expr": {"parse_date": [{"var": "as_of_day"}, "YYYY-MM-DD"]}},
    }
    return _layout("people", "roster", 10, columns, fields) | changes


def hours_layout(**changes: Any) -> dict[str, Any]:
    """An accrual layout of acme: an optional trailer sums the hours."""
    optional = {"required": False}
    columns = {"event": {}, "id": {}, "day": {}, "hours": {}, "partner": optional, "note": optional}
    fields = {
        "program_code": {"expr": "uniform"},
        "event_id": {"expr": {"var": "event"}},
        "employee_id": {"expr": {"var": "id"}},
        "event_type": {"expr": "HOURS"},
        "event_date": {"expr": {"parse_date": [{"var": "day"}, "YYYY-MM-DD"]}},
        "quantity": {"expr": {"parse_decimal": [{"var": "hours"}]}},
        "unit": {"expr": "HOUR"},
        "description": {"expr": {"var": "note"}},
    }
    control = {"kind": "trailer", "required": False, "column": "hours"}
    ignored = {"==": [{"var": "hours"}, "-"]}
    return (
        _layout("hours", "accrual", 20, columns, fields)
        | {"control": control, "partner_column": "partner", "ignore_when": ignored}
        | changes
    )


def _layout(name: str, entity: str, rank: int, columns: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{CODE}.{name}",
        "kind": "layout",
        "partner": CODE,
        "owner": "tests",
        "why": "A layout of the tests.",
        "name": name,
        "entity": entity,
        "rank": rank,
        "columns": columns,
        "fields": fields,
    }


@dataclass
class Hub:
    """A hub with partner acme, whose employees E1 to E3 earn 1.5 points an hour. It works when told to."""

    database: Database
    partner: Partner
    program: Program | None = None
    lateness: timedelta = timedelta()
    remaining_s: float = 900.0
    handled: list[dict[str, Any]] = field(default_factory=list)

    def clock(self) -> datetime:
        """Now, moved by ``lateness``: objects get their time from the real clock."""
        return datetime.now(UTC) + self.lateness

    def drop(self, layout: str, content: str | bytes, *, name: str = "file.csv", partner: str = CODE) -> dict[str, Any]:
        """Put an object into the inbox; the notification that S3 sends of it."""
        key = f"{partner}/{layout}/{name}"
        data = content.encode() if isinstance(content, str) else content
        objects.put(settings().bucket("hub-in"), key, data)
        return notification(key)

    def handle(self, message: dict[str, Any]) -> None:
        """Give one message to the handler."""
        handle = trials.handle if "trial" in message else way.handle
        handle(self.database, message, clock=self.clock, remaining_s=lambda: self.remaining_s)

    def process(self, layout: str, content: str | bytes, *, name: str = "file.csv", partner: str = CODE) -> InboundFile:
        """Drop a file and work on it, continuations included; the file as it ends."""
        self.handle(self.drop(layout, content, name=name, partner=partner))
        self.drain()
        return self.file(name)

    def drain(self) -> int:
        """Work on the messages of the files queue until there are none; how many there were."""
        for number in range(100):
            messages = received()
            if not messages:
                return number
            for message in messages:
                self.handle(message)
        raise AssertionError("the queue does not run dry")

    def files(self) -> list[InboundFile]:
        """Every file, by arrival."""
        with self.database.read() as db:
            return [of_row(row) for row in db.execute(select(inbound_file).order_by(inbound_file.c.id))]

    def file(self, name: str = "file.csv") -> InboundFile:
        """The latest file of a name."""
        return [file for file in self.files() if file.name == name][-1]

    def rows(self, name: str = "file.csv") -> Sequence[Row[Any]]:
        """The kept rows of a file."""
        with self.database.read() as db:
            query = select(file_row).where(file_row.c.file_id == self.file(name).id).order_by(file_row.c.row_no)
            return db.execute(query).all()

    def receipt(self, name: str = "file.csv", layout: str = "hours", partner: str = CODE) -> dict[str, Any]:
        """The receipt of a file as its sender reads it."""
        found: dict[str, Any] = json.loads(self.read("hub-out", f"{partner}/{layout}/receipt_{name}.json"))
        return found

    def read(self, bucket: str, key: str) -> bytes:
        """An object of one of the hub's buckets."""
        return b"".join(objects.stream(settings().bucket(bucket), key))

    def keys(self, bucket: str) -> list[str]:
        """The objects of one of the hub's buckets."""
        return [found.key for found in objects.list_under(settings().bucket(bucket))]


def make_hub(database: Database, *layouts: dict[str, Any], members: Sequence[str] = ("E1", "E2", "E3")) -> Hub:
    """Partner acme with its layouts (both standard ones unless given), rule, program and members."""
    with database.write() as db:
        partner = partners.make_partner(db, CODE, time_zone="UTC")
        rules.live_ruleset(db, partner.id, rules.accrual_document(f"{CODE}.accrual"))
        for document in layouts or (people_layout(), hours_layout()):
            rules.live_ruleset(db, partner.id, document)
        program = partners.make_program(db, partner)
        for employee_id in members:
            partners.make_member(db, partner, employee_id)
    return Hub(database, partner, program)


def notification(key: str, bucket: str = "hub-in") -> dict[str, Any]:
    """What S3 tells the queue about a new object."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": settings().bucket(bucket)}, "object": {"key": quote_plus(key, safe="/")}},
            }
        ]
    }


def received() -> list[dict[str, Any]]:
    """The messages that wait in the files queue, taken off it."""
    client = aws.client("sqs")
    url = client.get_queue_url(QueueName=settings().queue("files"))["QueueUrl"]
    found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def hours(*rows: str, trailer: str | None = None) -> str:
    """An hours file of these rows."""
    return "\n".join([HOURS_HEADER, *rows, *([trailer] if trailer else [])]) + "\n"


def people(*rows: str) -> str:
    """A roster file of these rows."""
    return "\n".join([PEOPLE_HEADER, *rows]) + "\n"


def person(employee_id: str, *, action: str = "A", hired: str = "2024-10-01", day: str = "2026-11-01") -> str:
    """One roster row."""
    return f"{employee_id},{action},Dolores,Haze,{hired},CREW,US,{day}"
