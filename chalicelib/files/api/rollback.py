"""POST /v1/files/{file_id}/rollback: take back everything that a file brought."""

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.files.api.files import readable
from chalicelib.files.api.rollback_shapes import LISTED_MAX, RollbackView, view
from chalicelib.files.register import rollbacks
from chalicelib.files.register.register import load
from chalicelib.files.register.rollbacks import FileNotReversible
from chalicelib.files.rollback import way
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import FileId
from chalicelib.web.shapes import Body

blueprint = Blueprint(__name__)


class RollbackBody(Body):
    """Why, and whether only to tell."""

    reason: str = Field(min_length=1, max_length=500, examples=["the file of last month"])
    dry_run: bool = Field(default=False, description="Tell what it would come to, and change nothing.")


@endpoint(
    blueprint,
    "POST /v1/files/{file_id}/rollback",
    scope=Scope.FILES_ROLLBACK,
    status=202,
    idempotent=True,
    raises=[NotFound, FileNotReversible, Unprocessable],
)
def roll_back_file(call: Call, file_id: FileId, body: RollbackBody) -> Answer[RollbackView]:
    """Take back every effect of a file, the latest first; asked again, it tells how far that is.

    Spent points are refused, owed or given up by their program's policy. The same file may come again afterwards.
    """
    file = readable(call, file_id)
    if body.dry_run:
        run, left = way.foresee(
            call.db, file.id, reason=body.reason, caller=call.caller, now=call.now, listed=LISTED_MAX
        )
        return Answer(200, view(call.db, file, run, left, dry_run=True))
    run, created = rollbacks.request(call.db, file.id, reason=body.reason, caller=call.caller, now=call.now)
    if created:
        call.after_commit(lambda: way.announce(run.id))
    left = rollbacks.left(call.db, run.id, limit=LISTED_MAX)
    status = 200 if run.finished_at is not None else 202
    return Answer(status, view(call.db, load(call.db, file.id), run, left))
