"""A file of orders is not taken back while orders are being sent on: which ones is not known before they are."""

import pytest

from chalicelib.errors import Unavailable
from chalicelib.files.exporting import running
from chalicelib.files.register import rollbacks
from chalicelib.files.rollback import way
from tests.factories.files import Hub
from tests.factories.rollbacks import ADMIN, left
from tests.factories.shared_layouts import agree
from tests.unit.files.exporting.test_netsuite_orders import delta, line, send


def test_orders_that_are_being_sent_stay(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    with hub.database.write() as db:
        agree(db, hub.partner.id, "orders")
    send(hub, line(1))
    noting = running._note_marks
    runs = []

    def late(database, taken):
        with hub.database.write() as db:
            run, _ = rollbacks.request(db, hub.file("orders.csv").id, reason="x", caller=ADMIN, now=hub.clock())
        runs.append(run)
        way.announce(run.id)
        with pytest.raises(Unavailable):
            hub.drain()
        noting(database, taken)

    monkeypatch.setattr(running, "_note_marks", late)
    assert delta(hub) == [("W-1", 1, 1)]
    way.announce(runs[0].id)
    hub.drain()

    assert [each.code for each in left(hub, runs[0])] == ["document_sent"]
    assert hub.file("orders.csv").state == "rolled_back"
