import hashlib, json, shutil, os
from datetime import timedelta
import pytest
from sqlalchemy import event, select
from chalicelib.files import sweeper
from chalicelib.files.models import inbound_file, file_row
from chalicelib.points.models import accrual_event, transfer, account, lot
from chalicelib.partners.models import member, member_history
from chalicelib.settings import Settings, settings
from chalicelib.storage import objects, queues
from tests.factories.files import *


class Crash(BaseException):
    pass


class Injector:
    def __init__(self):
        self.n = None
        self.i = 0
        self.names = []

    def point(self, name):
        self.i += 1
        self.names.append(name)
        if self.n is not None and self.i == self.n:
            raise Crash(name)


def dump(hub):
    with hub.database.read() as db:
        files = [
            (
                r.name,
                r.arrival_no,
                r.state,
                r.reason_code,
                r.slice_no,
                r.next_row,
                r.rows_total,
                r.rows_accepted,
                r.rows_rejected,
                r.rows_duplicate,
                r.rows_ignored,
                r.control_accepted,
                r.control_rejected,
                r.rows_absent,
                r.receipt_revision if False else 0,
                r.finished_at is not None,
                r.lease_until,
            )
            for r in db.execute(select(inbound_file).order_by(inbound_file.c.name))
        ]
        rows = sorted((r.row_no, r.row_to, r.outcome, r.code or "") for r in db.execute(select(file_row)))
        ev = sorted((r.event_id, r.row_no, r.points_minor) for r in db.execute(select(accrual_event)))
        tr = sorted(r.amount_minor for r in db.execute(select(transfer)))
        ac = sorted((r.kind, r.credits_posted, r.entry_no) for r in db.execute(select(account)) if r.kind == "member")
        ms = sorted((r.employee_id, r.status) for r in db.execute(select(member)))
        mh = len(db.execute(select(member_history.c.id)).all())
    objs = {}
    for b in ("hub-in", "hub-out", "hub-archive", "hub-reject"):
        for k in hub.keys(b):
            data = hub.read(b, k)
            if b == "hub-out":
                if k.endswith(".json"):
                    d = json.loads(data)
                    [d.pop(x, None) for x in ("run_id", "received_at", "duplicate_of")]
                    data = json.dumps(d, sort_keys=True).encode()
                else:
                    import re

                    data = re.sub(rb"fil_[0-9a-z]{26}", b"fil", data)
            objs[b, k] = hashlib.sha256(data).hexdigest()[:8]
    return files, rows, ev, tr, ac, ms, mh, objs


SCEN = {}


def scen_hours(hub):
    return [
        hub.drop(
            "hours",
            gz(hours(*[f"{n},E{1 + n % 4},2026-11-{1 + n:02},8" for n in range(8)], trailer="#TRAILER,8,64")),
            name="file.csv.gz",
        )
    ]


import gzip


def gz(s):
    return gzip.compress(s.encode(), mtime=0)


def scen_retry(hub):
    hub.process("hours", hours("a,E9,2026-11-02,8", "b,E8,2026-11-02,8", "c,E1,2026-11-02,8"), name="early.csv")
    return [
        hub.drop(
            "people", people(person("E9"), person("E1", day="2026-11-03"), person("E7", hired="x")), name="roster.csv"
        )
    ]


def scen_quar(hub):
    return [hub.drop("hours", hours("a,E1,2026-11-02,8", trailer="#TRAILER,2,8"))]


def scen_dup(hub):
    hub.process("hours", hours("a,E1,2026-11-02,8"), name="first.csv")
    return [hub.drop("hours", hours("a,E1,2026-11-02,8"), name="second.csv")]


SC = {"hours": scen_hours, "retry": scen_retry, "quar": scen_quar, "dup": scen_dup}


def run(hub, msgs, inj):
    crashed = False
    try:
        for m in msgs:
            hub.handle(m)
        hub.drain()
    except Crash:
        crashed = True
    inj.n = None
    if crashed:
        print("crash", inj.names[inj.i - 1])
        hub.database.kill()
        hub.lateness = timedelta(seconds=settings().file_lease_s + 61)
        for m in msgs:
            hub.handle(m)  # redelivery
        hub.drain()
        for _ in range(3):
            sweeper.sweep(hub.database, clock=hub.clock, grace_s=-(10**6)) if False else sweeper.sweep(
                hub.database, clock=hub.clock
            )
            hub.drain()
            hub.lateness += timedelta(seconds=settings().file_lease_s + 61)
    return crashed


@pytest.mark.parametrize("name", list(SC))
def test_crash(name, sqlite_template, tmp_path, data_key, monkeypatch):
    from chalicelib.storage.engine import connect

    small = Settings.model_validate(settings().model_dump() | {"slice_rows": 3, "slice_rows_sqlite": 3})
    monkeypatch.setattr("chalicelib.files.applying.settings", lambda: small)
    inj = Injector()
    for mod, fns in ((objects, ("head", "open_range", "put", "upload", "copy", "delete")), (queues, ("send",))):
        for fn in fns:
            orig = getattr(mod, fn)

            def w(*a, _o=orig, _f=fn, **k):
                inj.point("before " + _f)
                r = _o(*a, **k)
                inj.point("after " + _f)
                return r

            monkeypatch.setattr(mod, fn, w)

    def fresh(i):
        for b in ("hub-in", "hub-out", "hub-archive", "hub-reject"):
            for f in list(objects.list_under(settings().bucket(b))):
                from chalicelib.storage import aws

                aws.client("s3").delete_object(Bucket=settings().bucket(b), Key=f.key)
        while received():
            pass
        path = tmp_path / f"h{i}.db"
        path.write_bytes(sqlite_template.read_bytes())
        db = connect(f"sqlite:///{path}", pool_max=4)
        raws = []

        @event.listens_for(db.engine, "connect")
        def cn(dbapi, rec):
            raws.append(dbapi)

        def kill():
            import gc

            for r in raws:
                try:
                    r.rollback()
                except Exception as e:
                    print("rollback", e)
                r.close()
            raws.clear()
            db.engine.dispose()
            gc.collect()

        db.kill = kill

        @event.listens_for(db.engine, "before_cursor_execute")
        def b(conn, cur, stmt, *a):
            inj.point("before " + stmt[:60])

        @event.listens_for(db.engine, "after_cursor_execute")
        def a_(conn, cur, stmt, *a):
            inj.point("after " + stmt[:60])

        @event.listens_for(db.engine, "commit")
        def c(conn):
            inj.point("before commit")

        inj.n = None
        return make_hub(db)

    hub = fresh(0)
    msgs = SC[name](hub)
    inj.i = 0
    inj.names = []
    run(hub, msgs, inj)
    total = inj.i
    names = list(inj.names)
    want = dump(hub)
    print(name, total, want[0])
    bad = 0
    step = int(os.environ.get("STEP", "1"))
    for n in range(1, total + 1, step):
        hub = fresh(n)
        msgs = SC[name](hub)
        inj.i = 0
        inj.names = []
        inj.n = n
        crashed = run(hub, msgs, inj)
        got = dump(hub)
        hub.database.kill()
        os.unlink(tmp_path / f"h{n}.db")
        if got != want:
            bad += 1
            print("DIFF at", n, names[n - 1])
            for x, y in zip(want, got):
                if x != y:
                    print("   want", x, "\n   got ", y)
            if bad > 3:
                break
    assert not bad
