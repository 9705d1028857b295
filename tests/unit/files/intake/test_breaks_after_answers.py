"""What does not add up is found although the receipt was written meanwhile, as the sweeper does."""

from sqlalchemy import update

from chalicelib.files.models.files import inbound_file
from chalicelib.files.rows import settling
from tests.factories.files import Hub, hours


def test_a_break_is_found_although_the_receipt_was_written_meanwhile(hub: Hub):
    hub.process("hours", hours("e1,E1,2026-11-02,8"))
    with hub.database.write() as db:
        db.execute(update(inbound_file).values(rows_accepted=0, rows_rejected=1))
        settling.settle_again(db, hub.file().id, now=hub.clock())

    file = hub.file()
    assert (file.state, file.reason_code) == ("broken", "not_conserved")
    assert file.receipt_written < file.receipt_revision
