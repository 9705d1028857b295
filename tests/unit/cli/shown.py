"""What a terminal of some columns would show."""

import io

from rich.console import Console, RenderableType


def shown(what: RenderableType, *, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
