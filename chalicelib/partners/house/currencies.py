"""How many decimals a currency has (ISO 4217)."""

from typing import Final

_SCALES: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_LETTERS: Final = 3


def is_one(text: str) -> bool:
    """Whether the text is written as a currency: three capital letters."""
    return len(text) == _LETTERS and text.isascii() and text.isalpha() and text.isupper()


def scale(currency: str) -> int:
    """The number of decimals of its amounts."""
    return _SCALES.get(currency, 2)
