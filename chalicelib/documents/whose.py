"""Whom a revision of a document is about: keyed digests by which it is found when that person is to be forgotten."""

from collections.abc import Mapping
from typing import Any

from chalicelib.partners.members import erasing
from chalicelib.storage.encryption import blind_index


def indexes(
    header: Mapping[str, Any], personal: Mapping[str, str | None], *, partner_id: bytes, concerns_id: bytes | None
) -> dict[str, bytes | None]:
    """The columns ``employee_index`` and ``contact_index`` of a revision that ``partner_id`` sent."""
    employee_id = header.get("employee_id")
    # No kind has both: orders and quotes name a customer, leads an address.
    contact = header.get("customer_no") or personal.get("email")
    return {
        "employee_index": None if employee_id is None else erasing.number_index(concerns_id or partner_id, employee_id),
        "contact_index": None if contact is None else blind_index(contact),
    }
