# SPDX-License-Identifier: Apache-2.0
"""The command line: `python3 -m squall plot FILE... PLOT -o PICTURE`."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import sys
import warnings

import squall

WRONG_INPUT = 2
PICTURES = (".png", ".svg", ".pdf")


def plot(arguments: argparse.Namespace) -> None:
    if pathlib.Path(arguments.output).suffix.lower() not in PICTURES:
        raise squall.ResultsError(
            f"{arguments.output}: no name of a picture (it may end in {', '.join(PICTURES)})"
        )
    from squall.plot import PLOTS  # matplotlib takes a while to load

    draw = PLOTS.get(arguments.plot)
    if draw is None:
        known = ", ".join(PLOTS)
        raise squall.ResultsError(f"there is no plot '{arguments.plot}' (there are: {known})")
    labels = arguments.label or None
    if labels and len(labels) != len(arguments.file):
        raise squall.ResultsError(f"{len(labels)} labels for {len(arguments.file)} files")
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(squall.open(path)) for path in arguments.file]
        figure = draw(files, labels=labels, client=arguments.client, server=arguments.server)
    figure.savefig(arguments.output)


def parser() -> argparse.ArgumentParser:
    summary = squall.__doc__.partition("\n")[0]
    top = argparse.ArgumentParser(prog="python3 -m squall", description=summary)
    verbs = top.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("plot", help="draw results files, side by side")
    verb.add_argument("file", nargs="+", metavar="FILE", help="a results file")
    verb.add_argument("plot", metavar="PLOT", help="storm: a time line of load, queue and latency")
    verb.add_argument("-o", "--output", required=True, help=f"picture: {', '.join(PICTURES)}")
    verb.add_argument("--label", action="append", help="title of a file; once for each")
    verb.add_argument("--client", help="look at this group of clients only")
    verb.add_argument("--server", help="look at the queue of this group of servers only")
    verb.set_defaults(run=plot)
    return top


def show_warning(message: Warning | str, *_: object) -> None:
    print(f"squall: {message}", file=sys.stderr)


def main() -> int:
    arguments = parser().parse_args()
    warnings.showwarning = show_warning
    try:
        arguments.run(arguments)
    except (squall.ResultsError, OSError) as error:
        print(f"squall: {error}", file=sys.stderr)
        return WRONG_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
