"""What a handler is given besides its parameters."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.access.principal import Principal
from chalicelib.errors import NOT_YOURS, NotFound
from chalicelib.storage.engine import Database


class Call:
    """One request on its way through a handler: who asks, when, and the open transaction."""

    __slots__ = ("_db", "_principal", "afterwards", "bound_to", "caller", "database", "headers", "now")

    def __init__(
        self,
        *,
        db: Connection | None,
        principal: Principal | None,
        caller: Caller,
        now: datetime,
        database: Database,
        headers: Mapping[str, str],
        bound_to: str,
    ) -> None:
        self._db = db
        self._principal = principal
        self.caller = caller
        self.now = now
        #: For the rare handler that opens its own transactions; with ``db`` open it would wait for itself.
        self.database = database
        #: Of the request; names are case-insensitive.
        self.headers = headers
        #: The route and its path parameters, to which a page's cursor belongs.
        self.bound_to = bound_to
        #: What to do once the transaction has committed; the answer waits for it.
        self.afterwards: list[Callable[[], None]] = []

    def after_commit(self, do: Callable[[], None]) -> None:
        """Have ``do`` called when the transaction has committed, and not when it rolled back. It must not raise."""
        self.afterwards.append(do)

    @property
    def db(self) -> Connection:
        """The transaction of this request, which its edge commits or rolls back."""
        if self._db is None:
            raise RuntimeError("This endpoint was declared without a transaction.")
        return self._db

    @property
    def principal(self) -> Principal:
        """Who asks."""
        if self._principal is None:
            raise RuntimeError("A public endpoint knows nobody.")
        return self._principal

    @property
    def partner_scope(self) -> bytes | None:
        """The only partner whose data may be touched; None when every partner's may."""
        return self.principal.partner_id

    def require_partner(self, partner_id: bytes) -> None:
        """Refuse another partner's data as if there were none. Raises NotFound."""
        mine = self.principal.partner_id
        if mine is not None and mine != partner_id:
            raise NotFound(NOT_YOURS)
