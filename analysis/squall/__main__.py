# SPDX-License-Identifier: Apache-2.0
"""The command line: `python3 -m squall plot FILE... [PLOT] -o PICTURE`."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import math
import pathlib
import re
import shlex
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import squall
from squall.config import numbers
from squall.packages import missing
from squall.store import did_you_mean

WRONG_INPUT = 2
PAGE = ".html"
ALONG_AXES = ("axis", "heatmap")
PICTURES = (".png", ".svg", ".pdf", PAGE)
OPTIONS = ("client", "server", "group", "figure", "axis", "where", "level", "span")
WHICH = """\
which plot (default: sensitivity of a design, heatmap where a sweep has two axes, axis where it has
one, else storm, or cdf without time series):
  storm          load, queue, breakers and latency over time; --client, --server, --span
  lines          any figures over time; --figure, --span
  outcomes       what became of the attempts of clients over time, stacked; --group, --span
  cdf            the distribution of the latency of clients, or of other histograms; --group
  latency        its tail; --group
  axis           figures along an axis of a sweep, or what a search found; --figure, --axis, --span
  heatmap        a figure over two axes of a sweep; --figure, --axis, --span, --level
  sensitivity    which settings matter, of a sweep by morris or saltelli; --figure, --span
  amplification  attempts that arrive along a chain for each request; --client, --group, --span
  compare        any figures side by side; --figure, --span
  partition      a model divided among ranks; FILE is a plan, see below

Of a sweep, axis, heatmap and sensitivity draw all points, or those of --where (of a path the end is
enough where no other axis has it: --where poisson=500/s); others draw the point of --point or
--where, or else the first one. A plan is what `squall plan CONFIG --divide
--ranks-per-replication N --json` wrote.

A figure is a statistic of a group or a quotient of sums of these, with a name if it has one:
  --figure 'done = orders.sagas_completed'
  --figure 'attempts = a.requests_received + a.requests_missed / users.logical_requests'
For `compare`, the name of the panel comes first: --figure 'shares: done = ...'. axis and heatmap
also know `degraded`: the share of replications that do not recover; without a figure they draw what
the study is about: the measure of its search or stopping rule, or the share of requests that end
well.
"""


PLOT = re.compile(r"  [a-z]+  ")  # a line of WHICH that has one


class Listing(argparse.Action):
    """Prints which plots there are, one line each."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        lines = WHICH.splitlines()
        print("\n".join(line[2:] for line in lines if PLOT.match(line)))
        parser.exit()


def plot(arguments: argparse.Namespace) -> None:
    suffix = pathlib.Path(arguments.output).suffix.lower()
    if suffix not in PICTURES:
        raise squall.ResultsError(
            f"{arguments.output}: no name of a picture (it may end in {', '.join(PICTURES)})"
        )
    folder = pathlib.Path(arguments.output).parent
    if not folder.is_dir():
        raise squall.ResultsError(f"cannot write {arguments.output}: no such folder")
    from squall.plot import OF_PLANS, PLOTS  # matplotlib takes a while to load

    paths, name = _files_and_plot(arguments.file, PLOTS)
    labels = arguments.label or None
    if labels and len(labels) != len(paths):
        raise squall.ResultsError(f"{len(labels)} labels for {len(paths)} files")
    plans = name in OF_PLANS or (name is None and all(path.endswith(".json") for path in paths))
    with contextlib.ExitStack() as stack:
        if plans:
            _check_options(name or OF_PLANS[0], _given(arguments))
            _draw_plans(arguments, paths, labels, suffix)
            return
        files = [stack.enter_context(squall.open(path)) for path in paths]
        if name in ALONG_AXES and len(paths) > 1 and not any(results.axes for results in files):
            files = [stack.enter_context(squall.open(*paths))]  # what tells them apart is an axis
            if labels:
                warnings.warn("no --label: the files are one study", stacklevel=2)
            labels = None
        _draw_results(arguments, files, name, labels, suffix)


def _files_and_plot(words: Sequence[str], plots: dict) -> tuple[list[str], str | None]:
    """The last word is a plot if it is called like one, or like no file."""
    *paths, last = words
    if last in plots and (paths or not pathlib.Path(last).exists()):
        if not paths:
            raise squall.ResultsError(f"which file is to be drawn by '{last}'?")
        return paths, last
    if paths and not pathlib.Path(last).exists() and not pathlib.Path(last).suffix:
        raise squall.ResultsError(
            f"there is no plot '{last}' (there are: {', '.join(plots)}){did_you_mean(last, plots)}"
        )
    if paths and words[0] in plots and not pathlib.Path(words[0]).exists():
        raise squall.ResultsError(
            f"the plot comes after the files: plot {shlex.join([*words[1:], words[0]])}"
        )
    return list(words), None


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    options = {name: getattr(arguments, name) for name in (*OPTIONS, "point")}
    return {name: value for name, value in options.items() if value is not None}


def _check_options(plot: str, given: dict[str, Any]) -> None:
    from squall.plot import PLOTS

    known = inspect.signature(PLOTS[plot]).parameters
    for name in given:
        if name not in known and not (name == "where" and "point" in known):
            raise squall.ResultsError(f"the plot '{plot}' takes no --{name}")


def _draw_results(
    arguments: argparse.Namespace,
    files: Sequence[squall.Results],
    name: str | None,
    labels: Sequence[str] | None,
    suffix: str,
) -> None:
    from squall import sweeps
    from squall.plot import OF_SWEEPS, PLOTS, suiting, usual_figures

    given = _given(arguments)
    if name is None:
        name = suiting(files, given.get("where", ()), point="point" in given)
        if name in ("lines", "compare") and "figure" not in given:
            given["figure"] = usual_figures(files[0])
    _check_options(name, given)
    points = [0] * len(files)
    if name not in OF_SWEEPS:
        where, number = given.pop("where", ()), given.pop("point", None)
        points = [sweeps.one_point(results, where, number) for results in files]
        given["point"] = points
    drawn = PLOTS[name](files, labels=labels, **given)
    if suffix != PAGE:
        drawn.savefig(arguments.output)
        return
    from squall import page

    tables = page.numbers(files, name, given, points)
    titles = list(dict.fromkeys(results.title for results in files))
    text = page.page(drawn, f"{', '.join(titles)}: {name}", _command(), files, tables)
    pathlib.Path(arguments.output).write_text(text, encoding="utf-8")


def _draw_plans(
    arguments: argparse.Namespace, paths: Sequence[str], labels: Sequence[str] | None, suffix: str
) -> None:
    from squall.partition import partition, read_plan

    drawn = partition([read_plan(path) for path in paths], labels=labels)
    if suffix != PAGE:
        drawn.savefig(arguments.output)
        return
    from squall import page

    text = page.page(drawn, f"{', '.join(paths)}: partition", _command(), ())
    pathlib.Path(arguments.output).write_text(text, encoding="utf-8")


def _command() -> str:
    return f"python3 -m squall {shlex.join(sys.argv[1:])}"


def parser() -> argparse.ArgumentParser:
    summary = squall.__doc__.partition("\n")[0]
    top = argparse.ArgumentParser(prog="python3 -m squall", description=summary)
    verbs = top.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser(
        "plot",
        help="draw results files, side by side",
        usage="python3 -m squall plot FILE... [PLOT] -o PICTURE [options]",
        epilog=WHICH,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("file", nargs="+", metavar="FILE", help="results files, then PLOT: see below")
    verb.add_argument(
        "-o", "--output", required=True, metavar="PICTURE", help=f"a file: {', '.join(PICTURES)}"
    )
    verb.add_argument("--list", action=Listing, nargs=0, help="which plots there are")
    verb.add_argument("--label", action="append", help="title of a file; once for each")
    verb.add_argument("--client", help="look at this group of clients only")
    verb.add_argument("--server", help="look at the queue of this group of servers only")
    verb.add_argument("--group", action="append", help="a group to draw; once for each")
    verb.add_argument("--figure", action="append", help="a figure to draw; once for each")
    verb.add_argument(
        "--axis", action="append", metavar="PATH", help="an axis of the sweep to draw along"
    )
    verb.add_argument(
        "--where",
        action="append",
        metavar="PATH=VALUE",
        help="points with this value, or one of several, only",
    )
    verb.add_argument("--point", type=int, metavar="N", help="the point with this number only")
    verb.add_argument("--level", type=float, help="draw the line where the figure passes this")
    verb.add_argument(
        "--span",
        nargs=2,
        type=_seconds,
        metavar="TIME",
        help="look only from here to there: 50s, 2m, or seconds",
    )
    verb.set_defaults(run=plot, verb=verb)
    return top


def _seconds(text: str) -> float:
    """Of `50s`, `2m`, `50`."""
    read = numbers([text])
    if read is None or read[1] not in ("s", "1") or not math.isfinite(read[0][0]):
        raise argparse.ArgumentTypeError(f"'{text}' is no time (such as 50s, 2m, or 50 in seconds)")
    return float(read[0][0])


def show_warning(message: Warning | str, *_: object) -> None:
    print(f"squall: {message}", file=sys.stderr)


def main() -> int:
    arguments, rest = parser().parse_known_args()
    if any(word.startswith("-") for word in rest):
        known = [name for action in arguments.verb._actions for name in action.option_strings]
        near = did_you_mean(rest[0].partition("=")[0], known)
        arguments.verb.error(f"unrecognized arguments: {' '.join(rest)}{near}")
    arguments.file += rest  # between which there were options
    warnings.showwarning = show_warning
    try:
        arguments.run(arguments)
    except ModuleNotFoundError as error:
        if missing(error) is None:
            raise
        print(f"squall: {missing(error)}", file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        what = f"{error.filename}: {error.strerror.lower()}" if error.filename else error
        print(f"squall: {what}", file=sys.stderr)
        return WRONG_INPUT
    except squall.ResultsError as error:
        print(f"squall: {error}", file=sys.stderr)
        return WRONG_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
