"""/v1/file-layouts: how files must look, and templates to begin with."""

import csv
import io
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.files.formats import layouts
from chalicelib.rules import catalogue
from chalicelib.rules.catalogue import Listed
from chalicelib.rules.entities import Entity
from chalicelib.rules.layouts import Layout
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.answers import Attachment
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import LayoutId
from chalicelib.web.shapes import PublicId, Query, View

blueprint = Blueprint(__name__)

_KIND = "layout"


class LayoutView(View):
    """One layout that is in force. Files of it are dropped into ``hub-in/<partner>/<name>/``."""

    id: str = Field(description="The code of the layout's ruleset.")
    name: str
    partner_id: PublicId | None = Field(description="Null when every partner may use it.")
    entity: Entity
    mode: Literal["delta", "snapshot"]
    rank: int = Field(description="Of files that arrive together, a lower rank goes first.")
    version: int
    content_hash: str


class ColumnView(View):
    """One column: its header, whether the file must have it, whether its cells may be empty."""

    header: str
    required: bool
    may_be_empty: bool
    personal: bool
    description: str
    feeds: list[str] = Field(description="The fields of the hub that are made of it.")


class ControlView(View):
    """How the sender states that the file is whole."""

    kind: Literal["trailer", "sidecar", "none"]
    required: bool
    column: str | None = Field(description="The header of the column that is summed.")
    example: str | None


class TemplateView(LayoutView):
    """A layout with the rules of its columns and a file to begin with."""

    encoding: str
    delimiter: str
    quote: str
    control: ControlView
    columns: list[ColumnView]
    csv: str = Field(description="Header and one sample row.")


class TemplateQuery(Query):
    """In which form: everything as JSON, or only the CSV."""

    format: Literal["json", "csv"] | None = Field(
        None, description="The form; without it, `Accept: text/csv` asks for CSV."
    )


@endpoint(blueprint, "GET /v1/file-layouts", scope=Scope.FILES_READ, raises=[InvalidInput])
def list_layouts(call: Call, query: PageQuery) -> Page[LayoutView]:
    """List the layouts in force: the partner's own and those that every partner may use."""
    code = pages.after_text(call, query)
    listed = catalogue.in_order(
        call.db, partner_id=call.partner_scope, kind=_KIND, after_code=code, limit=query.limit + 1, now=call.now
    )
    found = pages.page(call, query, listed, view=lambda one: one, position=lambda one: (one.code,))
    items = [_view(one, one.live) for one in found.items if one.live is not None]
    return Page(items=items, next_cursor=found.next_cursor)


@endpoint(blueprint, "GET /v1/file-layouts/{layout_id}/template", scope=Scope.FILES_READ, raises=[NotFound])
def get_template(call: Call, layout_id: LayoutId, query: TemplateQuery) -> TemplateView | Attachment:
    """Show how a file of this layout must look, with a sample."""
    unknown = NotFound(f"There is no layout {layout_id!r} in force.")
    try:
        listed = catalogue.find(call.db, layout_id, partner_id=call.partner_scope, now=call.now)
    except NotFound:
        # It would be told that there is no ruleset, and nobody asked for one.
        raise unknown from None
    if listed.kind != _KIND or listed.live is None:
        raise unknown
    layout = layouts.of_version(listed.live)
    text = _sample(layout)
    if query.format == "csv" or (query.format is None and "text/csv" in call.headers.get("accept", "")):
        return Attachment(text, "text/csv", f"{layout.spec.name}.csv")
    how = layout.spec.format
    return TemplateView(
        **_view(listed, listed.live).model_dump(),
        encoding=how.encoding,
        delimiter=how.delimiter,
        quote=how.quote,
        control=_control(layout),
        columns=_columns(layout),
        csv=text,
    )


def _view(listed: Listed, live: LiveVersion) -> LayoutView:
    spec = layouts.of_version(live).spec
    return LayoutView(
        id=listed.code,
        name=spec.name,
        partner_id=None if listed.partner_id is None else public_id("par", listed.partner_id),
        entity=spec.entity,
        mode=spec.mode,
        rank=spec.rank,
        version=live.number,
        content_hash=live.content_hash.hex(),
    )


def _columns(layout: Layout) -> list[ColumnView]:
    headers, columns = layout.headers, layout.spec.columns
    return [
        ColumnView(
            header=headers[name],
            required=columns[name].required,
            may_be_empty=columns[name].may_be_empty,
            personal=columns[name].personal,
            description=columns[name].description,
            feeds=[field for field, output in layout.compiled.outputs.items() if name in output.columns],
        )
        for name in _in_order(layout)
    ]


def _control(layout: Layout) -> ControlView:
    control = layout.spec.control
    column = layout.headers[control.column] if control.column is not None else None
    examples = {
        "trailer": layout.spec.format.delimiter.join([control.marker, "<rows>", *(["<sum>"] if column else [])]),
        "sidecar": '<name>.ctl: {"rows": 120, ' + ('"sum": "1234.5", ' if column else "") + '"sha256": "…"}',
        "none": None,
    }
    return ControlView(kind=control.kind, required=control.required, column=column, example=examples[control.kind])


def _sample(layout: Layout) -> str:
    how = layout.spec.format
    text = io.StringIO()
    table = csv.writer(text, delimiter=how.delimiter, quotechar=how.quote, lineterminator="\n")
    columns = _in_order(layout)
    table.writerow([layout.headers[name] for name in columns])
    table.writerow([layout.spec.columns[name].sample for name in columns])
    return text.getvalue()


def _in_order(layout: Layout) -> list[str]:
    """The columns as a template shows them: what must be there first, since any order is accepted in files."""
    columns = layout.spec.columns
    return sorted(columns, key=lambda name: (not columns[name].required, name))
