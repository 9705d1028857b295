"""The identifiers that partners give: which of them can be told apart wherever they are kept and shown."""


def unusable(name: str, identifier: str) -> tuple[str, str] | None:
    """Why an identifier cannot be kept, as a code and a sentence about the field ``name``; None for a good one."""
    if not identifier.strip():
        return "missing", f"The {name} is blank."
    # MySQL compares text as if padded with blanks, SQLite and Python do not: "E1" and "E1 " must never meet.
    if identifier != identifier.strip():
        return "surrounding_blanks", f"The {name} begins or ends with a blank: send it without."
    if not identifier.isprintable():
        return "unprintable", f"The {name} holds a character that cannot be printed, such as a line break."
    return None
