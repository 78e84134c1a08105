# SPDX-License-Identifier: Apache-2.0
"""The command line: `python3 -m squall plot FILE... PLOT -o PICTURE`."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import pathlib
import sys
import warnings

import squall

WRONG_INPUT = 2
PICTURES = (".png", ".svg", ".pdf")
OPTIONS = ("client", "server", "group", "figure", "span")  # of plots, as far as they take them
WHICH = """\
which plot:
  storm          load, queue and latency over time; --client, --server
  lines          any figures over time; --figure
  outcomes       what became of the attempts of clients over time, stacked; --group
  latency        the tail of the latency of clients, or of other histograms; --group
  amplification  attempts that arrive along a chain for each request; --client, --group, --span
  compare        any figures side by side; --figure, --span

A figure is a statistic of a group or a quotient of sums of these, with a name if it has one:
  --figure 'done = orders.sagas_completed'
  --figure 'attempts = a.requests_received + a.requests_missed / users.logical_requests'
For `compare`, the name of the panel comes first: --figure 'shares: done = ...'
"""


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
    options = {name: getattr(arguments, name) for name in OPTIONS}
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in inspect.signature(draw).parameters:
            raise squall.ResultsError(f"the plot '{arguments.plot}' takes no --{name}")
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(squall.open(path)) for path in arguments.file]
        figure = draw(files, labels=labels, **given)
    figure.savefig(arguments.output)


def parser() -> argparse.ArgumentParser:
    summary = squall.__doc__.partition("\n")[0]
    top = argparse.ArgumentParser(prog="python3 -m squall", description=summary)
    verbs = top.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser(
        "plot",
        help="draw results files, side by side",
        epilog=WHICH,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("file", nargs="+", metavar="FILE", help="a results file")
    verb.add_argument("plot", metavar="PLOT", help="which plot, see below")
    verb.add_argument("-o", "--output", required=True, help=f"picture: {', '.join(PICTURES)}")
    verb.add_argument("--label", action="append", help="title of a file; once for each")
    verb.add_argument("--client", help="look at this group of clients only")
    verb.add_argument("--server", help="look at the queue of this group of servers only")
    verb.add_argument("--group", action="append", help="a group to draw; once for each")
    verb.add_argument("--figure", action="append", help="a figure to draw; once for each")
    verb.add_argument(
        "--span", nargs=2, type=float, metavar="S", help="look only from here to there, in seconds"
    )
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
