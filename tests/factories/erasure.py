"""A person who is known by request and by files of every kind, and where the hub still names that person."""

import gzip
import hashlib
import json
from datetime import UTC, date, datetime

from sqlalchemy import select

from chalicelib.access import idempotency
from chalicelib.files.answers import finishing
from chalicelib.files.mending import fixing
from chalicelib.files.rows import recording
from chalicelib.operations import erasure
from chalicelib.partners.members import members
from chalicelib.settings import settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import objects
from chalicelib.storage.encryption import decrypt
from chalicelib.storage.ids import new_id, public_id
from chalicelib.storage.tables import metadata
from tests.factories import partners
from tests.factories.files import CODE, hours, people_layout
from tests.factories.partners import CALLER
from tests.factories.shared_layouts import agree, content

NUMBER = "EZ-7741"
#: What names the person in files, requests and answers.
MAIL = "quillonia@farthing.example"
NAMES = (NUMBER, "Quillonia", "Farthingale", MAIL, "9 Larkspur Lane", "SF-88213", "003Q7741", "QZ9 7LK", "555-0177")
HEADER = "id,action,first,last,hired,job,country,as of,mail,boss"
PERSON = f'{NUMBER},A,Quillonia,"Farthin\ngale",2024-10-01,CREW,US,2026-11-01,quillonia@farthing.example,'
OTHER = "E5,A,Ada,Byron,2024-10-01,CREW,US,2026-11-01,ada@example.com,"
#: The retailer's own systems, which name the employees of any partner.
HOUSE = "store"
OF_HERS = f"E6,A,Bob,Miller,2024-10-01,CREW,US,2026-11-01,bob@example.com,{NUMBER}"


def roster_layout():
    made = people_layout()
    optional = {"required": False}
    return made | {
        "columns": made["columns"] | {"mail": optional | {"personal": True}, "boss": optional},
        "fields": made["fields"] | {"email": {"expr": {"var": "mail"}}, "manager_id": {"expr": {"var": "boss"}}},
    }


def fill(hub):
    """The person is known by request and by files of every kind, and everything was answered."""
    with hub.database.write() as db:
        partners.make_member(
            db,
            hub.partner,
            NUMBER,
            first_name="Quillonia",
            last_name="Farthingale",
            email="quillonia@farthing.example",
            ship_to_line1="9 Larkspur Lane",
        )
        of = members.by_employee(db, hub.partner.id, [NUMBER])[NUMBER]
        partners.number_customer(db, of, "SF-88213", date(2026, 1, 1))
        _answer(db, of.id)
        house = partners.make_partner(db, HOUSE)
        agree(db, house.id, "customers", "orders", "leads", house=True)
        agree(db, hub.partner.id, "quotes")
    roster = f"{HEADER}\n{OTHER}\n{PERSON}\n{OF_HERS}\n"
    hub.process("people", roster, name="roster.csv")
    hub.process("people", gzip.compress(roster.replace("11-01", "11-02").encode()), name="packed.csv.gz")
    hub.process("hours", hours(f"a,{NUMBER},2026-11-02,8", "b,E1,2026-11-02,8"), name="hours.csv")
    # The same rows again are duplicates, which are kept as a range only.
    hub.process("hours", hours(f"a,{NUMBER},2026-11-02,8", "b,E1,2026-11-02,8", "c,E1,2026-11-03,1"), name="again.csv")
    dirty = hours(f"d,{NUMBER},2026-11-02,x", f"e,{NUMBER}", "f,E1,2026-11-02,x", "g,E9,2026-11-02,8")
    hub.process("hours", dirty, name="dirty.csv")
    _fix(hub, 1, {"hours": "y"})
    _fix(hub, 4, {"id": NUMBER})
    hub.process("hours", gzip.compress(f"who\n{NUMBER} Farthingale\n".encode()), name="refused.csv.gz")
    _fill_house(hub)
    hub.process("quotes", content("quotes", quote("Q-1", "SF-88213"), quote("Q-2", "0001")), name="quotes.csv")
    sent = f"employee_id,program_code,available_points\nE1,uniform,5.00\n{NUMBER},uniform,7741.00\n"
    objects.put(settings().bucket("hub-out"), f"{CODE}/exports/balances.csv", sent.encode())
    return of


def _fill_house(hub):
    """The store knows the person as a customer, who ordered, and who left an address before."""
    hub.process("customers", content("customers", HERS, THEIRS, UNPLACED), name="customers.csv", partner=HOUSE)
    hub.process("orders", content("orders", *ORDERS), name="orders.csv", partner=HOUSE)
    other = LEAD | {"lead_id": "L-2", "first_name": "Niamh", "last_name": "Daly", "email": "niamh@example.com"}
    other |= {"phone": "555-0100", "postal": "D02 X285"}
    hub.process("leads", content("leads", LEAD, other), name="leads.csv", partner=HOUSE)
    refused = f"who\n{CODE},{NUMBER}\n"
    hub.process("orders", refused, name="refused-orders.csv", partner=HOUSE)


def ordered(number, employee_id, *, line_no=1, **values):
    """A line of a web order of an employee of acme."""
    given = {
        "channel": "web",
        "order_no": number,
        "revision": "1",
        "order_ts": "2026-11-20T09:15:00Z",
        "partner_code": CODE,
        "employee_id": employee_id,
        "currency": "EUR",
        "line_no": str(line_no),
        "sku": f"SHIRT-{line_no}",
        "qty": "2",
        "unit_price": "19.90",
        "ship_to_postal": "QZ9 7LK",
        "status": "new",
    }
    return given | values


def quote(number, customer_no):
    """A quote for a customer of the store."""
    return {
        "quote_no": number,
        "revision": "1",
        "customer_no": customer_no,
        "quote_ts": "2026-11-18T11:00:00Z",
        "valid_until": "2026-12-31",
        "currency": "EUR",
        "line_no": "1",
        "sku": "CLOG",
        "qty": "40",
        "unit_price": "35",
        "status": "sent",
    }


HERS = {
    "source": "sfcc",
    "customer_no": "SF-88213",
    "email": MAIL,
    "first_name": "Quillonia",
    "last_name": "Farthingale",
    "partner_code": CODE,
    "employee_id": NUMBER,
    "salesforce_id": "003Q7741",
    "last_modified": "2026-11-19T14:05:00Z",
}
THEIRS = {
    "source": "sfcc",
    "customer_no": "0001",
    "email": "ada.lovelace@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "last_modified": "2026-11-19T14:05:00Z",
}
#: Refused, since there is no such partner.
UNPLACED = HERS | {"partner_code": "nobody", "employee_id": ""}
ORDERS = (
    ordered("W-1", NUMBER, customer_no="SF-88213"),
    # Not whole: one of its rows is refused.
    ordered("W-2", NUMBER),
    ordered("W-2", NUMBER, line_no=2, qty="-1"),
    ordered("W-3", "E1", ship_to_postal="D02 X285"),
)
LEAD = {
    "source": "web",
    "lead_id": "L-1",
    "created_ts": "2026-11-19T08:00:00Z",
    "first_name": "Quillonia",
    "last_name": "Farthingale",
    "email": MAIL,
    "phone": "555-0177",
    "postal": "QZ9 7LK",
    "country": "ie",
    "consent": "true",
}


def _answer(db, member_id):
    """An answer that is kept under an Idempotency-Key, and one about somebody else."""
    for key, body in (
        ("hers", {"id": public_id("mbr", member_id), "employee_id": NUMBER, "personal": {"last_name": "Farthingale"}}),
        ("other", {"id": public_id("mbr", new_id()), "employee_id": "E1", "personal": {"last_name": "Farthing"}}),
    ):
        given = {"principal_id": b"p" * 16, "key": key}
        idempotency.claim(db, **given, route="POST /v1/members", request_hash=b"h" * 32, now=datetime.now(UTC))
        idempotency.keep(db, **given, status=201, body=json.dumps(body))


def _fix(hub, row_no, cells):
    file = hub.file("dirty.csv")
    with hub.database.write() as db:
        work = recording.work_of(db, file, hub.partner)
        fixing.fix(db, file, work, row_no, cells, reason="a slip", caller=CALLER, now=hub.clock())
    finishing.answer(hub.database, file.id)


def erase(hub, of):
    with hub.database.write() as db:
        erasure.request(db, of.id, reason="asked for it", caller=CALLER, now=hub.clock())
    erasure.run(hub.database, clock=hub.clock)
    with hub.database.read() as db:
        return erasure.of_member(db, of.id)


def everything(database):
    """Every value of every table, sealed ones opened, and every object of every bucket, expanded."""
    with database.read() as db:
        for table in metadata.tables.values():
            for row in db.execute(select(table)).mappings():
                for name, value in row.items():
                    yield f"{table.name}.{name}", _opened(table.name, name, row, value)
    store = aws_clients.client("s3")
    for bucket in store.list_buckets()["Buckets"]:
        for found in store.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            content = store.get_object(Bucket=bucket["Name"], Key=found["Key"])["Body"].read()
            yield found["Key"], gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def _opened(table, column, row, value):
    if isinstance(value, bytes) and len(value) > 32:
        binding = {
            "personal": row.get("member_id") or row.get("id") or row.get("document_id"),
            "raw": row.get("file_id"),
            "cells": row.get("file_id"),
            "sought": row.get("id"),
            "body": None if table != "idempotency_record" else _binding(row),
        }[column]
        return decrypt(value, bound_to=binding)
    return value if isinstance(value, bytes) else str(value).encode()


def _binding(row):
    return hashlib.sha256(row["principal_id"] + row["idempotency_key"].encode()).digest()


def named(database):
    """Where the person is named."""
    return {place for place, content in everything(database) for name in NAMES if name.encode() in content}
