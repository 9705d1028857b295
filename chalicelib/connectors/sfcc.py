"""Salesforce Commerce Cloud: customers of one customer list over SCAPI Customers v1.

Contract: Salesforce's OpenAPI "Customers 1.1.3". An update is PATCH, which answers 404 for a customer that the store
does not have; PUT creates one under our number. Points travel as custom attributes (``c_…``).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from chalicelib.connectors import http
from chalicelib.connectors.contract import Limits, Message, Outcome, Result
from chalicelib.errors import Unavailable, Unprocessable
from chalicelib.web.shapes import Written

ADMIN_TIMEOUT_S: Final = 60.0
"""Salesforce ends a request to an admin API after this long: later, a write that we gave up on is dead."""

CHECK_CUSTOMER_NO: Final = "interline-check"
"""A number that no store gives out: reading it proves the credentials and the list, and moves no personal data."""

LIMITS: Final = Limits(batch_max=5, inflight_max=4, timeout_s=20.0, attempts_max=12)
"""What a store bears without asking Salesforce for more."""

_ON_CREATION_ONLY: Final = "credentials"
_MISPLACED: Final = re.compile(r"list|organization|tenant|site")
_NUMBER_TAKEN: Final = re.compile(r"number_already_in_use|already_exists")


def _secure(url: str) -> str:
    """Credentials and personal data travel encrypted, or do not leave the machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise ValueError("must be https, or http on the loopback address")
    return url.rstrip("/")


type_of_url = Annotated[str, AfterValidator(_secure)]


class Config(BaseModel):
    """Where the store is and what the hub may do there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: type_of_url = Field(
        description="`https://{short code}.api.commercecloud.salesforce.com/customer/customers/v1`"
    )
    token_url: type_of_url = Field(
        "https://account.demandware.com/dwsso/oauth2/access_token", description="Account Manager's token endpoint."
    )
    organization: Annotated[str, Written("f_ecom_[A-Za-z0-9_]{1,25}", "An organization looks like f_ecom_zzte_053.")]
    customer_list: str = Field(min_length=1, max_length=256)
    create_missing: bool = Field(False, description="Create a customer whom the store does not have.")
    settle_s: float = Field(
        ADMIN_TIMEOUT_S, ge=0, description="How long a write without an answer may still take effect."
    )


class Credentials(BaseModel):
    """An API client of Account Manager with the scope `sfcc.customerlists.rw`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1)


class CommerceCloud:
    """Entity ``customer``, operation ``patch``: bring one store customer to the state in the body.

    The body is a SCAPI Customer: ``customerNo`` names the customer, ``lastName`` is required by the store.
    ``credentials`` are used for a creation only, because an update must not rename the login of somebody's account; a
    customer created without them gets the number as login and cannot sign in until the store enables the account.
    """

    def __init__(self, config: Config, credentials: Credentials, client: httpx.Client, limits: Limits) -> None:
        self._config = config
        self.limits = limits
        self._client = client
        self._customers_url = (
            f"{config.base_url}/organizations/{quote(config.organization, safe='')}"
            f"/customer-lists/{quote(config.customer_list, safe='')}/customers"
        )
        self._write = http.Effect(repeatable=True, settle_s=config.settle_s)
        tenant = config.organization.removeprefix("f_ecom_")
        self._credentials = http.ClientCredentials(
            client,
            token_url=config.token_url,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            scope=f"SALESFORCE_COMMERCE_API:{tenant} sfcc.customerlists.rw",
        )

    def check(self) -> None:
        """Ask for a customer that does not exist: the expected answer is that the list has none of that number."""
        deadline = http.Deadline.after(self.limits.timeout_s)
        try:
            self._request("GET", CHECK_CUSTOMER_NO, None, http.READ, deadline)
        except http.Undelivered as failure:
            if failure.code == "customer_missing":
                return
            sentence = f"Commerce Cloud does not serve this target. {failure.detail}"
            if failure.outcome is Outcome.RETRY and failure.status != 404:
                wait_s = None if failure.retry_after_s is None else int(failure.retry_after_s)
                raise Unavailable(sentence, code=failure.code, retry_after_s=wait_s) from failure
            raise Unprocessable(sentence, code=failure.code) from failure

    def deliver(self, batch: Sequence[Message]) -> list[Result]:
        """Bring each customer to its state, one request (two for a creation) after the other."""
        return [self._deliver_one(message) for message in batch]

    def _deliver_one(self, message: Message) -> Result:
        try:
            answer = self._upsert(message, http.Deadline.after(self.limits.timeout_s))
        except http.Undelivered as failure:
            return failure.result(message.id)
        remote_id = answer.body.get("customerId")
        return Result(
            message_id=message.id,
            outcome=Outcome.CONFIRMED,
            status=answer.status,
            code="created" if answer.status == 201 else "updated",
            detail="The store has the customer in this state.",
            remote_id=remote_id if isinstance(remote_id, str) else None,
            response=answer.body,
        )

    def _upsert(self, message: Message, deadline: http.Deadline) -> http.Answer:
        number = _customer_number(message)
        update = {name: value for name, value in message.body.items() if name != _ON_CREATION_ONLY}
        try:
            return self._request("PATCH", number, update, self._write, deadline)
        except http.Undelivered as failure:
            if failure.code != "customer_missing" or not self._config.create_missing:
                raise
        login: JsonValue = {"login": number, "enabled": False}
        creation = {_ON_CREATION_ONLY: login} | dict(message.body)
        try:
            return self._request("PUT", number, creation, self._write, deadline)
        except http.Undelivered as failure:
            if failure.status in {400, 409} and _NUMBER_TAKEN.search(failure.code):
                # Somebody created the customer after our PATCH: the next attempt's PATCH finds it.
                failure.outcome = Outcome.RETRY
            raise

    def _request(
        self,
        method: str,
        number: str,
        body: Mapping[str, JsonValue] | None,
        effect: http.Effect,
        deadline: http.Deadline,
    ) -> http.Answer:
        """One request about one customer. Raises Undelivered; its code is ``customer_missing`` where there is none."""
        url = f"{self._customers_url}/{quote(number, safe='')}"
        try:
            return http.request(
                self._client, self._credentials, method, url, effect=effect, deadline=deadline, body=body
            )
        except http.Undelivered as failure:
            # A 404 without a problem document is not from the store's application, and one that names the list or the
            # organization says that the target is set up wrongly: neither means that the customer is missing.
            if failure.status == 404 and failure.response and not _MISPLACED.search(failure.code):
                failure.code, failure.patient = "customer_missing", True
            raise


def _customer_number(message: Message) -> str:
    """The number in the body. Raises Undelivered (REJECTED) for a message that SCAPI has no request for."""
    if (message.entity, message.operation) != ("customer", "patch"):
        raise http.Undelivered(
            Outcome.REJECTED,
            code="unsupported_operation",
            detail=f"Commerce Cloud takes customer/patch, not {message.entity}/{message.operation}.",
        )
    number = message.body.get("customerNo")
    # "." and ".." would leave the path of the customer list.
    if not isinstance(number, str) or number in {"", ".", ".."}:
        raise http.Undelivered(
            Outcome.REJECTED, code="customer_number_missing", detail="The mapping gives no usable customerNo."
        )
    return number


def build(
    config: Mapping[str, JsonValue], credentials: Mapping[str, str], client: httpx.Client, limits: Limits
) -> CommerceCloud:
    """The connector of one target. Raises pydantic's ValidationError for what does not fit Config or Credentials."""
    return CommerceCloud(Config.model_validate(config), Credentials.model_validate(credentials), client, limits)
