"""What the commands of `karyobench insight` share: where a report goes, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder for the files. Default: WORKSPACE/insight.")
]


def write(
    folder: Path, name: str, data: Any, text: str, drawn: Mapping[Any, bytes], maps: Mapping[Any, bytes] | None = None
) -> None:
    """Write a report: what it draws, its words and, last, its JSON.

    Args:
        folder: made when absent.
        name: of the files, without the ending.
        data: plain data.
        text: Markdown.
        drawn: pictures, by ending.
        maps: pictures that hold images, likewise; they are named `NAME-maps`.
    """
    from benchmark.files import atomic, write_json

    files = {f"{name}.md": text.encode()} | {f"{name}.{kind}": content for kind, content in drawn.items()}
    files |= {f"{name}-maps.{kind}": content for kind, content in (maps or {}).items()}
    for file_name, content in files.items():
        with atomic(folder / file_name) as file:
            file.write(content)
    write_json(folder / f"{name}.json", data)
