"""The composition root: registers blueprints and event handlers, and hands rooms what they need from higher ones.

Every module of a room's ``api`` package has a ``blueprint``; they are found by looking, so none can be forgotten.
Each Lambda function imports this module and serves one handler: what only event handlers need, they import themselves.
"""

import gc
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from chalice.app import BaseLambdaEvent, Blueprint, Chalice, CloudWatchEvent, Cron, Rate, SQSEvent

import chalicelib
from chalicelib.access import heartbeats
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
    from chalicelib.files import intake

    for record in event:
        with logs.correlated(logs.correlation_of(record.to_dict()["messageId"])):
            intake.handle(database(), json.loads(record.body), clock=clock.now, remaining_s=_remaining_s(event))


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


@app.schedule(Rate(1, unit=Rate.MINUTES), name="outbox_pump")
def outbox_pump(event: CloudWatchEvent) -> None:
    """Deliver what is due: retries, and what no message announced."""
    _pump(event)
    _beat("outbox_pump")


@app.schedule(Rate(1, unit=Rate.MINUTES), name="intake_sweeper")
def intake_sweeper(_event: CloudWatchEvent) -> None:
    """Queue again what an event lost."""
    from chalicelib.files import sweeper

    sweeper.sweep(database(), clock=clock.now)
    _beat("intake_sweeper")


@app.schedule(Rate(15, unit=Rate.MINUTES), name="missing_files")
def missing_files(_event: CloudWatchEvent) -> None:
    """Compare the files that came with those that are expected."""
    from chalicelib.files import expecting

    database().run(lambda db: expecting.watch(db, now=clock.now()))
    _beat("missing_files")


@app.schedule(Rate(1, unit=Rate.MINUTES), name="backtest_sweeper")
def backtest_sweeper(_event: CloudWatchEvent) -> None:
    """Go on with back-tests that nobody works on."""
    from chalicelib.workbench import running

    running.sweep(database(), clock=clock.now)
    _beat("backtest_sweeper")


@app.schedule(Rate(5, unit=Rate.MINUTES), name="hold_sweeper")
def hold_sweeper(_event: CloudWatchEvent) -> None:
    """Give back what baskets held for too long."""
    from chalicelib.points import hold_sweeper as sweeper

    sweeper.sweep(database(), now=clock.now())
    _beat("hold_sweeper")


@app.schedule(Cron(0, 2, "*", "*", "?", "*"), name="expirations")
def expirations(_event: CloudWatchEvent) -> None:
    """Post what was not spent by its last day."""
    from chalicelib.points import expirations as expiry

    expiry.run(database(), now=clock.now())
    _beat("expirations")


@app.schedule(Cron(0, 3, "*", "*", "?", "*"), name="retention")
def retention(_event: CloudWatchEvent) -> None:
    """Forget what has been kept for long enough."""
    from chalicelib.access import retention as kept

    kept.forget(database(), now=clock.now())
    _beat("retention")


def _pump(event: BaseLambdaEvent) -> None:
    from chalicelib.deliveries import pump
    from chalicelib.deliveries.routes import BALANCE
    from chalicelib.points import balances

    sources = {BALANCE: balances.source(clock.now)}
    pump.run(database(), sources=sources, clock=clock.now, deadline_s=_remaining_s(event)() - _PUMP_RESERVE_S)


def _beat(name: str) -> None:
    database().run(lambda db: heartbeats.beat(db, name, ok=True, now=clock.now()))


def _remaining_s(event: BaseLambdaEvent) -> Callable[[], float]:
    context: Any = event.context
    return lambda: float(context.get_remaining_time_in_millis()) / 1000


# What has been imported stays: a full collection, which would take a request 50 ms, need not look at it again.
gc.freeze()
