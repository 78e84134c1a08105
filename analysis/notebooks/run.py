#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the notebooks, and keeps them in the form in which they are stored.

    analysis/notebooks/run.py FOLDER              all of them; copies with outputs are in FOLDER
    analysis/notebooks/run.py FOLDER scaling      this one only
    analysis/notebooks/run.py --pictures FOLDER   and keeps the picture of each, for README.md
    analysis/notebooks/run.py --strip             runs nothing; takes outputs out of them

Stored are the cells alone, without outputs and counts, so that a difference is one of the text. The
picture of a notebook is what the cell draws that has the tag `picture`. The program is that of the
environment's SQUALL, or else build/src/squall. Exit status: 0 done, 1 a cell failed, 77 there is no
jupyter.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

from PIL import Image  # which matplotlib needs, too

HERE = pathlib.Path(__file__).resolve().parent
PICTURES = HERE / "pictures"
NAMES = ("first_look", "latency_tails", "retry_storms", "a_sweep", "scaling")  # in this order
JUPYTER = "/usr/bin/jupyter"  # Debian's, which runs Debian's Python
WIDTH, COLOURS = 1000, 256  # of pictures [pixel, 1]
TIME_LIMIT_S = 300  # for a cell
SKIPPED = 77
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def stored(name: str) -> pathlib.Path:
    return HERE / f"{name}.ipynb"


def stripped(text: str) -> str:
    """A notebook as it is stored."""
    cells = [_stripped_cell(cell) for cell in json.loads(text)["cells"]]
    kept = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _stripped_cell(cell: dict) -> dict:
    tags = cell["metadata"].get("tags")
    source = "".join(cell["source"]).splitlines(keepends=True)
    kept = {
        "cell_type": cell["cell_type"],
        "metadata": {"tags": tags} if tags else {},
        "source": source,
    }
    if cell["cell_type"] == "code":
        kept |= {"execution_count": None, "outputs": []}
    return kept


def strip() -> None:
    for name in NAMES:
        path = stored(name)
        path.write_text(stripped(path.read_text(encoding="utf-8")), encoding="utf-8")


def execute(name: str, folder: pathlib.Path) -> int:
    """Runs a notebook in its own folder, as readers do; its copy is in `folder`."""
    command = [JUPYTER, "nbconvert", "--to", "notebook", "--execute", "--log-level", "WARN"]
    command += [f"--ExecutePreprocessor.timeout={TIME_LIMIT_S}", "--output-dir", str(folder)]
    paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger warns of frozen modules
    }
    return subprocess.run([*command, str(stored(name))], env=environment).returncode


def picture(executed: pathlib.Path) -> Image.Image:
    """The picture that the tagged cell has drawn."""
    (found,) = (
        output["data"]["image/png"]
        for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]
        if "picture" in cell["metadata"].get("tags", ())
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    )
    return Image.open(io.BytesIO(base64.b64decode(found)))


def keep(drawn: Image.Image, path: pathlib.Path) -> None:
    """Saves a picture for README.md, in a width and with colours that make a small file."""
    width = min(drawn.width, WIDTH)
    height = round(drawn.height * width / drawn.width)
    small = drawn.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    few = small.quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    few.save(path, optimize=True)


def run(names: Sequence[str], folder: pathlib.Path, pictures: bool) -> int:
    if not pathlib.Path(JUPYTER).exists():
        print(f"there is no {JUPYTER}: install jupyter-nbconvert and python3-ipykernel")
        return SKIPPED
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if execute(name, folder) != 0:
            return 1
        drawn = picture(folder / f"{name}.ipynb")
        if pictures:
            keep(drawn, PICTURES / f"{name}.png")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, help="for what was run")
    parser.add_argument("name", nargs="*", help="these notebooks only")
    parser.add_argument("--pictures", action="store_true", help="keep the picture of each")
    parser.add_argument("--strip", action="store_true", help="take outputs out of the notebooks")
    arguments = parser.parse_args()
    unknown = set(arguments.name) - set(NAMES)
    if unknown or (arguments.folder is None) != arguments.strip:
        parser.error(f"a folder, and some of {', '.join(NAMES)}; or --strip")
    if arguments.strip:
        strip()
        return 0
    return run(arguments.name or NAMES, arguments.folder.resolve(), arguments.pictures)


if __name__ == "__main__":
    sys.exit(main())
