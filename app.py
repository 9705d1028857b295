"""The composition root: registers blueprints and event handlers, and hands rooms what they need from higher ones.

Every module of a room's ``api`` package has a ``blueprint``; they are found by looking, so none can be forgotten.
Each Lambda function imports this module and serves one handler: what only event handlers need, they import themselves.
"""

import gc

# A fifth of the time of a cold start went into collections that find nothing: what is imported stays.
gc.disable()

import contextlib
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from chalice.app import BaseLambdaEvent, Blueprint, Chalice, CloudWatchEvent, Cron, Rate, SQSEvent

import chalicelib
from chalicelib.access import heartbeats
from chalicelib.access.caller import Caller
from chalicelib.settings import settings
from chalicelib.storage.engine import database
from chalicelib.web import clock, logs, uniform

#: Seconds of a pump's time that are kept back for the batches under way.
_PUMP_RESERVE_S = 30


def _blueprints() -> Iterator[Blueprint]:
    for room in pkgutil.iter_modules(chalicelib.__path__, "chalicelib."):
        if room.ispkg and find_spec(f"{room.name}.api"):
            api = importlib.import_module(f"{room.name}.api")
            for resource in pkgutil.iter_modules(api.__path__, f"{api.__name__}."):
                module = importlib.import_module(resource.name)
                if hasattr(module, "blueprint"):
                    yield module.blueprint


logs.configure()
app = Chalice(app_name="interline", configure_logs=False)
app.register_middleware(uniform.as_problem, "http")
for blueprint in _blueprints():
    app.register_blueprint(blueprint)


@app.on_sqs_message(queue=settings().queue("files"), batch_size=1, name="file_intake")
def file_intake(event: SQSEvent) -> None:
    """Carry on the file that a message names."""
    from chalicelib.files.intake import way
    from chalicelib.files.trials import way as trials

    for record in event:
        with logs.correlated(logs.correlation_of(record.to_dict()["messageId"])):
            message = json.loads(record.body)
            handle = trials.handle if "trial" in message else way.handle
            handle(database(), message, clock=clock.now, remaining_s=_remaining_s(event))


@app.on_sqs_message(queue=settings().queue("deliveries"), batch_size=1, name="deliveries_wanted")
def deliveries_wanted(event: SQSEvent) -> None:
    """Deliver what is due, since something has just become due."""
    _pump(event)


@app.on_sqs_message(queue=settings().queue("backtests"), batch_size=1, name="backtest_runner")
def backtest_runner(event: SQSEvent) -> None:
    """Carry on the back-test that a message names."""
    from chalicelib.workbench import running

    for record in event:
        with logs.correlated(logs.correlation_of(record.to_dict()["messageId"])):
            running.handle(database(), json.loads(record.body), clock=clock.now, remaining_s=_remaining_s(event))


@app.on_sqs_message(queue=settings().queue("exports"), batch_size=1, name="export_writer")
def export_writer(event: SQSEvent) -> None:
    """Write the file that a message names, for its receiver."""
    from chalicelib.files.exporting import running

    for record in event:
        with logs.correlated(logs.correlation_of(record.to_dict()["messageId"])):
            running.handle(database(), json.loads(record.body), clock=clock.now)


@app.on_sqs_message(queue=settings().queue("schedules"), batch_size=1, name="schedule_runner")
def schedule_runner(event: SQSEvent) -> None:
    """Run the job that a message names, since a person asked for it."""
    from chalicelib.operations import schedules

    for record in event:
        with logs.correlated(logs.correlation_of(record.to_dict()["messageId"])):
            schedules.handle(database(), json.loads(record.body), now=clock.now())


@app.schedule(Rate(1, unit=Rate.MINUTES), name="outbox_pump")
def outbox_pump(event: CloudWatchEvent) -> None:
    """Deliver what is due: retries, and what no message announced."""
    with _beating("outbox_pump"):
        _pump(event)


@app.schedule(Rate(1, unit=Rate.MINUTES), name="intake_sweeper")
def intake_sweeper(_event: CloudWatchEvent) -> None:
    """Queue again what an event lost."""
    from chalicelib.files.intake import sweeper

    with _beating("intake_sweeper"):
        sweeper.sweep(database(), clock=clock.now)


@app.schedule(Rate(15, unit=Rate.MINUTES), name="missing_files")
def missing_files(_event: CloudWatchEvent) -> None:
    """Compare the files that came with those that are expected."""
    from chalicelib.files.expected import expecting

    with _beating("missing_files"):
        expecting.run(database(), now=clock.now())


@app.schedule(Rate(1, unit=Rate.MINUTES), name="backtest_sweeper")
def backtest_sweeper(_event: CloudWatchEvent) -> None:
    """Go on with back-tests that nobody works on."""
    from chalicelib.workbench import running

    with _beating("backtest_sweeper"):
        running.sweep(database(), clock=clock.now)


@app.schedule(Rate(1, unit=Rate.MINUTES), name="export_sweeper")
def export_sweeper(_event: CloudWatchEvent) -> None:
    """Go on with exports that nobody works on."""
    from chalicelib.files.exporting import running

    with _beating("export_sweeper"):
        running.sweep(database(), clock=clock.now)


@app.schedule(Rate(5, unit=Rate.MINUTES), name="hold_sweeper")
def hold_sweeper(_event: CloudWatchEvent) -> None:
    """Give back what baskets held for too long."""
    from chalicelib.points.spending import hold_sweeper as sweeper

    with _beating("hold_sweeper"):
        sweeper.sweep(database(), now=clock.now())


@app.schedule(Rate(1, unit=Rate.HOURS), name="ledger_checkpoint")
def ledger_checkpoint(_event: CloudWatchEvent) -> None:
    """Chain and sign what the ledger has got since the last hour."""
    from chalicelib.points.proof import checkpoints

    with _beating("ledger_checkpoint"):
        checkpoints.run(database(), now=clock.now())


@app.schedule(Cron(5, "*", "*", "*", "?", "*"), name="balances_export")
def balances_export(_event: CloudWatchEvent) -> None:
    """Send the store the balances that changed, and each night all of them."""
    from chalicelib.files.exporting import timetable

    with _beating("balances_export"):
        timetable.send_balances(database(), now=clock.now())


@app.schedule(Cron(35, "*", "*", "*", "?", "*"), name="netsuite_orders")
def netsuite_orders(_event: CloudWatchEvent) -> None:
    """Send NetSuite the orders that it was not sent in their newest revision."""
    from chalicelib.files.exporting import timetable

    with _beating("netsuite_orders"):
        timetable.send_orders(database(), now=clock.now())


@app.schedule(Cron(20, "*", "*", "*", "?", "*"), name="partner_exports")
def partner_exports(_event: CloudWatchEvent) -> None:
    """Send partners the files that their manifests name."""
    from chalicelib.files.exporting import timetable

    with _beating("partner_exports"):
        timetable.send_to_partners(database(), now=clock.now())


@app.schedule(Cron(0, 1, "*", "*", "?", "*"), name="periodic_accruals")
def periodic_accruals(_event: CloudWatchEvent) -> None:
    """Grant what programs give by themselves: on hire, on anniversaries, for months and plan years."""
    from chalicelib.points.terms import grants

    with _beating("periodic_accruals"):
        grants.run(database(), caller=Caller("system:grants", logs.correlation_of(None)), clock=clock.now)


@app.schedule(Cron(30, 1, "*", "*", "?", "*"), name="close_outs")
def close_outs(_event: CloudWatchEvent) -> None:
    """Take or pay out the points of members who have left, as their programs say."""
    from chalicelib.points.terms import close_outs as leaving

    with _beating("close_outs"):
        leaving.run(database(), caller=Caller("system:close-outs", logs.correlation_of(None)), clock=clock.now)


@app.schedule(Cron(0, 2, "*", "*", "?", "*"), name="expirations")
def expirations(_event: CloudWatchEvent) -> None:
    """Post what was not spent by its last day."""
    from chalicelib.points.terms import expirations as expiry

    with _beating("expirations"):
        expiry.run(database(), clock=clock.now)


@app.schedule(Rate(5, unit=Rate.MINUTES), name="erasures")
def erasures(event: CloudWatchEvent) -> None:
    """Go on with forgetting those who asked for it."""
    from chalicelib.operations import erasure

    with _beating("erasures"):
        erasure.run(database(), clock=clock.now, deadline_s=_remaining_s(event)() - _PUMP_RESERVE_S)


@app.schedule(Rate(5, unit=Rate.MINUTES), name="plan_years")
def plan_years(_event: CloudWatchEvent) -> None:
    """Go on with plan years that are being closed."""
    from chalicelib.points.plan_years import closing

    with _beating("plan_years"):
        closing.run(database(), clock=clock.now)


@app.schedule(Rate(5, unit=Rate.MINUTES), name="settlements")
def settlements(_event: CloudWatchEvent) -> None:
    """Go on with settlements that are under way."""
    from chalicelib.files.exporting import books

    with _beating("settlements"):
        books.go_on(database(), clock=clock.now)


@app.schedule(Cron(0, 23, "*", "*", "?", "*"), name="sap_postings")
def sap_postings(_event: CloudWatchEvent) -> None:
    """Send SAP the postings of the day."""
    from chalicelib.files.exporting import books

    with _beating("sap_postings"):
        books.send_postings(database(), now=clock.now())


@app.schedule(Cron(0, 13, "1-3", "*", "?", "*"), name="monthly_books")
def monthly_books(_event: CloudWatchEvent) -> None:
    """Settle the month before and state it to partners: by 13:00 UTC on the first it is over in every time zone."""
    from chalicelib.files.exporting import books

    with _beating("monthly_books"):
        books.close_month(database(), clock=clock.now)


@app.schedule(Cron(0, 3, "*", "*", "?", "*"), name="retention")
def retention(_event: CloudWatchEvent) -> None:
    """Forget what has been kept for long enough."""
    from chalicelib.operations import retaining

    with _beating("retention"):
        retaining.run(database(), now=clock.now())


def _pump(event: BaseLambdaEvent) -> None:
    from chalicelib.deliveries import pump
    from chalicelib.deliveries.routes import BALANCE
    from chalicelib.points.ledger import balances

    sources = {BALANCE: balances.source(clock.now)}
    pump.run(database(), sources=sources, clock=clock.now, deadline_s=_remaining_s(event)() - _PUMP_RESERVE_S)


@contextlib.contextmanager
def _beating(name: str) -> Iterator[None]:
    """Note when a job ended, and whether it failed."""
    ok = False
    try:
        yield
        ok = True
    finally:
        database().run(lambda db: heartbeats.beat(db, name, ok=ok, now=clock.now()))


def _remaining_s(event: BaseLambdaEvent) -> Callable[[], float]:
    context: Any = event.context
    return lambda: float(context.get_remaining_time_in_millis()) / 1000


# What has been imported stays: a full collection, which would take a request 50 ms, need not look at it again.
gc.freeze()
gc.enable()
