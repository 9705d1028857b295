"""/v1/deliveries as callers see it: what waits, why, and what an operator does about it."""

import pytest
from sqlalchemy import select, update

from chalicelib.access.scopes import Role, Scope
from chalicelib.deliveries import wake
from chalicelib.deliveries.models import delivery
from chalicelib.settings import settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import queues
from chalicelib.storage.ids import new_id, public_id
from tests.factories.access import make_user_key
from tests.factories.deliveries import make_delivery, make_target

PARTNER, OTHER = b"part" * 4, b"othr" * 4


@pytest.fixture
def operator(database) -> str:
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR)[1]


@pytest.fixture
def bound(database) -> str:
    """The key of a user who is bound to one partner."""
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR, partner_id=PARTNER)[1]


@pytest.fixture
def waiting(database):
    """A delivery whose customer is missing, one that is due, and one of another partner."""
    with database.write() as db:
        make_target(db, PARTNER)
        make_target(db, OTHER, code="elsewhere")
        missing = make_delivery(db, PARTNER)
        db.execute(update(delivery).values(last_code="customer_missing", last_detail="HTTP 404: none", failures=1))
        return missing, make_delivery(db, PARTNER), make_delivery(db, OTHER)


def path(made) -> str:
    return f"/v1/deliveries/{public_id('dlv', made.id)}/retry"


def state_of(database, made) -> str:
    with database.read() as db:
        return str(db.execute(select(delivery.c.state).where(delivery.c.id == made.id)).scalar_one())


class TestList:
    def test_shows_why_a_delivery_waits(self, api, operator, waiting):
        [shown] = api.get("/v1/deliveries", key=operator, params={"code": "customer_missing"}).json["items"]

        missing = waiting[0]
        assert shown["id"] == public_id("dlv", missing.id)
        assert shown["key"] == public_id("acc", bytes.fromhex(missing.entity_key))
        assert (shown["target"], shown["state"], shown["failures"]) == ("store", "ready", 1)
        assert shown["last_detail"] == "HTTP 404: none"

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({}, [2, 1, 0]),
            ({"target": "elsewhere"}, [2]),
            ({"state": "dead"}, []),
            ({"partner_id": public_id("par", PARTNER)}, [1, 0]),
            ({"older_than_s": 10**6}, []),
        ],
        ids=str,
    )
    def test_is_filtered_newest_first(self, api, operator, waiting, filters, found):
        items = api.get("/v1/deliveries", key=operator, params=filters).json["items"]
        assert [each["id"] for each in items] == [public_id("dlv", waiting[n].id) for n in found]

    def test_older_than_the_calendar_is_refused(self, api, operator):
        answer = api.get("/v1/deliveries", key=operator, params={"older_than_s": 10**20})
        assert (answer.status, answer.json["faults"][0]["pointer"]) == (400, "older_than_s")

    def test_of_one_account_is_only_its_own(self, api, operator, waiting):
        account_id = public_id("acc", bytes.fromhex(waiting[1].entity_key))
        items = api.get("/v1/deliveries", key=operator, params={"account_id": account_id}).json["items"]
        assert [each["key"] for each in items] == [account_id]

    def test_goes_on_by_its_cursor(self, api, operator, waiting):
        first = api.get("/v1/deliveries", key=operator, params={"limit": 2}).json
        rest = api.get("/v1/deliveries", key=operator, params={"limit": 2, "cursor": first["next_cursor"]}).json
        assert [each["id"] for each in rest["items"]] == [public_id("dlv", waiting[0].id)]
        assert rest["next_cursor"] is None

    @pytest.mark.usefixtures("waiting")
    def test_of_another_partner_is_not_to_be_had(self, api, bound):
        assert len(api.get("/v1/deliveries", key=bound).json["items"]) == 2
        assert api.get("/v1/deliveries", key=bound, params={"target": "elsewhere"}).json["items"] == []
        other = {"partner_id": public_id("par", OTHER)}
        assert api.get("/v1/deliveries", key=bound, params=other).status == 404


class TestRetry:
    def send(self, api, key, made, action="retry", idempotency_key="k1"):
        body = {"action": action, "reason": "the store is back"}
        return api.post(path(made), body, key=key, headers={"Idempotency-Key": idempotency_key})

    def test_makes_a_dead_letter_due(self, api, operator, database, waiting):
        with database.write() as db:
            db.execute(update(delivery).values(state="dead", unclaimed=None))

        answered = self.send(api, operator, waiting[0])

        assert (answered.status, answered.json["state"]) == (200, "ready")
        assert state_of(database, waiting[0]) == "ready"

    @pytest.mark.usefixtures("aws")
    @pytest.mark.parametrize(("action", "messages"), [("retry", 1), ("discard", 0)])
    def test_wakes_the_pump_for_what_is_to_be_sent_again(self, api, operator, waiting, action, messages):
        wake.reset()

        self.send(api, operator, waiting[0], action)

        url = queues.url_of(settings().queue("deliveries"))
        found = aws_clients.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert int(found["ApproximateNumberOfMessagesDelayed"]) == messages

    @pytest.mark.parametrize(("action", "state"), [("mark_done", "confirmed"), ("discard", "discarded")])
    def test_may_also_end_a_delivery(self, api, operator, database, waiting, action, state):
        assert self.send(api, operator, waiting[0], action).json["state"] == state
        assert state_of(database, waiting[0]) == state

    def test_sent_twice_with_one_key_is_done_once(self, api, operator, waiting):
        first = self.send(api, operator, waiting[0], "discard")
        again = self.send(api, operator, waiting[0], "discard")
        assert (first.status, again.status) == (200, 200)
        assert first.json == again.json
        assert self.send(api, operator, waiting[0], "discard", "k2").code == "delivery_not_waiting"

    def test_needs_a_reason_and_a_known_action(self, api, operator, waiting):
        headers = {"Idempotency-Key": "k1"}
        for body in ({}, {"reason": ""}, {"reason": "because", "action": "explode"}):
            assert api.post(path(waiting[0]), body, key=operator, headers=headers).status == 422

    def test_of_another_partners_delivery_is_not_found_and_changes_nothing(self, api, bound, database, waiting):
        assert self.send(api, bound, waiting[2], "discard").status == 404
        assert state_of(database, waiting[2]) == "ready"

    def test_of_no_delivery_is_not_found(self, api, operator):
        headers = {"Idempotency-Key": "k1"}
        nothing = f"/v1/deliveries/{public_id('dlv', new_id())}/retry"
        assert api.post(nothing, {"reason": "because"}, key=operator, headers=headers).status == 404

    def test_needs_the_right_to_write(self, api, database, waiting):
        with database.write() as db:
            reader = make_user_key(db, Role.ADMIN, scopes={Scope.DELIVERIES_READ})[1]
        assert self.send(api, reader, waiting[0]).status == 403
