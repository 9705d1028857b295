"""Which customer documents Commerce Cloud accepts: Salesforce's OpenAPI "Customers 1.1.3" and the faults of OCAPI."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

_TEXT_MAX = {
    "companyName": 256,
    "customerId": 28,
    "customerNo": 100,
    "email": 256,
    "fax": 32,
    "firstName": 256,
    "jobTitle": 256,
    "lastName": 256,
    "phoneBusiness": 32,
    "phoneHome": 32,
    "phoneMobile": 32,
    "preferredLocale": 5,
    "salutation": 256,
    "secondName": 256,
    "suffix": 256,
    "title": 256,
}
_REQUIRED = ("customerNo", "lastName")
#: Given by the store; a client may send them back but they are not taken over.
_OWN = frozenset(
    {"creationDate", "lastLoginTime", "lastModified", "lastVisitTime", "previousLoginTime", "previousVisitTime"}
)
_CREDENTIAL_TYPES: Mapping[str, type] = {"enabled": bool, "locked": bool, "login": str, "passwordQuestion": str}
_CUSTOM_PREFIX = "c_"


def refusal(body: object, *, creating: bool) -> tuple[str, str] | None:
    """Why the store refuses a document, as (problem type, sentence); None when it takes it.

    A creation also needs credentials with a login, as the OCAPI documentation of the same operation says.
    """
    if not isinstance(body, dict):
        return "malformed-request-body", "The request body must be a JSON object."
    for name in _REQUIRED:
        if not isinstance(body.get(name), str) or not body[name].strip():
            return "property-constraint-violation", f"Property '{name}' is required."
    for name, value in body.items():
        sentence = _property_refusal(name, value)
        if sentence is not None:
            return "property-constraint-violation", sentence
    if creating and "credentials" not in body:
        return "credentials-missing", "The mandatory credentials are missing in the input document."
    return None


def accepted(body: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a document that a client decides."""
    return {name: value for name, value in body.items() if name not in _OWN and name != "customerId"}


def _property_refusal(name: str, value: object) -> str | None:
    if name.startswith(_CUSTOM_PREFIX) or name in _OWN:
        return None
    if name in _TEXT_MAX:
        return _text_refusal(name, value)
    check = _CHECKS.get(name)
    return f"Property '{name}' is unknown." if check is None else check(value)


def _text_refusal(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return f"Property '{name}' must be a string."
    if len(value) > _TEXT_MAX[name]:
        return f"Property '{name}' must not be longer than {_TEXT_MAX[name]} characters."
    return None


def _birthday_refusal(value: object) -> str | None:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return "Property 'birthday' must be a date."
    return None


def _credentials_refusal(value: object) -> str | None:
    if not isinstance(value, dict) or not isinstance(value.get("login"), str) or not value["login"]:
        return "The mandatory login property is missing in the credentials."
    for name, inner in value.items():
        if name not in _CREDENTIAL_TYPES:
            return f"Property 'credentials.{name}' is unknown."
        if not isinstance(inner, _CREDENTIAL_TYPES[name]):
            return f"Property 'credentials.{name}' has the wrong type."
    return None


def _gender_refusal(value: object) -> str | None:
    return None if type(value) is int else "Property 'gender' must be an integer."


def _address_refusal(value: object) -> str | None:
    return None if isinstance(value, dict) else "Property 'primaryAddress' must be an object."


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "birthday": _birthday_refusal,
    "credentials": _credentials_refusal,
    "gender": _gender_refusal,
    "primaryAddress": _address_refusal,
}
