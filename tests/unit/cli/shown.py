"""What a terminal of 120 columns would show."""

import io

from rich.console import Console, RenderableType


def shown(what: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
