#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures of the gallery, and the page that shows them.

    analysis/gallery/make.py                  all pictures, and README.md
    analysis/gallery/make.py gc_pause saga    these only, and README.md
    analysis/gallery/make.py -o FOLDER        elsewhere

A picture is a row of PICTURES: what to run, and how to draw it. The program is that of the
environment's SQUALL, or else build/src/squall.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import textwrap
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

import squall

PROGRAM = pathlib.Path(os.environ.get("SQUALL", ROOT / "build/src/squall"))
DPI = 120  # some 100 KB a picture


@dataclass(frozen=True)
class Run:
    """A scenario, with what is changed of it."""

    scenario: str  # without its folder and extension
    label: str = ""  # title in the picture
    changes: tuple[str, ...] = ()  # path=value, as --set takes them
    folder: str = "scenarios"  # in configs

    @property
    def path(self) -> str:
        return f"configs/{self.folder}/{self.scenario}.yaml"


@dataclass(frozen=True)
class Picture:
    """A row of the gallery."""

    name: str  # of the file, without its extension
    title: str
    plot: str  # one of squall.plot.PLOTS
    runs: tuple[Run, ...]
    caption: str
    options: dict[str, Any] = field(default_factory=dict)  # of the plot


THREE = "{kind: fixed, max_attempts: 3, delay: 10ms}"
LAYERS = (
    Run("retry_amplification", "three attempts everywhere"),
    Run(
        "retry_amplification",
        "only the users try again",
        ("policies.thrice.retry=none", f"users.call.retry={THREE}"),
    ),
    Run(
        "retry_amplification",
        "retry budgets of 10 %",
        ("policies.thrice.retry_budget={kind: rate}",),
    ),
)

PICTURES = (
    Picture(
        "retry_storm",
        "A storm that outlives its trigger",
        "storm",
        (
            Run("retry_storm"),
            Run("retry_storm", changes=("users.call.retry.max_attempts=1",)),
        ),
        "A service for 1000 requests a second gets 900, and is five times as slow for ten seconds. "
        "With four attempts for each request none succeeds again; without retries all is well ten "
        "seconds after.",
    ),
    Picture(
        "gc_pause",
        "One second of garbage collection",
        "storm",
        (
            Run("gc_pause", "four attempts"),
            Run("gc_pause", "no retries", ("users.call.retry.max_attempts=1",)),
        ),
        "Seven requests a second to a service for ten. It stands still for one second, and four "
        "seconds later nobody gets an answer in time any more. There is no chance in it.",
    ),
    Picture(
        "retry_growth",
        "One per cent too much",
        "lines",
        (
            Run("retry_growth", "ten attempts"),
            Run("retry_growth", "four attempts", ("users.call.retry.max_attempts=4",)),
        ),
        "10,100 requests a second to a service for 10,000. Those refused come back a second later, "
        "so that 10,200 arrive, then 10,300, until the users give up.",
        {
            "figure": (
                "attempts that arrive = service.requests_received",
                "share that is refused = service.requests_rejected / service.requests_received",
            )
        },
    ),
    Picture(
        "retry_amplification",
        "Retries on top of retries",
        "amplification",
        LAYERS,
        "Users call a, a calls b, b calls c and c calls d, which is down. With three attempts in "
        "each layer d gets 3^4 = 81 for every request. One layer that tries again is enough, and "
        "budgets keep all four to 1.5 together.",
        {"group": ("a", "b", "c", "d"), "span": (31.0, 39.0)},
    ),
    Picture(
        "retry_amplification_storm",
        "The same, over time",
        "lines",
        LAYERS[:2],
        "When d is back, 1620 attempts a second are waiting for a service that can do 200, "
        "and was asked for 20. It is never well again, unless only one layer tries again.",
        {
            "figure": (
                "attempts that reach d = d.requests_received + d.requests_missed",
                "goodput of the users = users.successes",
                "waiting at d = d.queue_depth",
            )
        },
    ),
    Picture(
        "gateway_overload",
        "A gateway with and without limits on its routes",
        "outcomes",
        (Run("gateway_overload", "without limits (open), and with limits (limited)"),),
        "A partner's job asks ten times as often as usual for half a minute. Without limits nobody "
        "is served any more, and it stays so. With a limit on each route the partner gets what its "
        "route allows, and the shoppers notice nothing.",
        {"group": ("open_shoppers", "limited_shoppers", "limited_partner")},
    ),
    Picture(
        "gateway_latency",
        "The same, by latency",
        "latency",
        (Run("gateway_overload", "how long requests take until they end, well or not"),),
        "Steps are attempts that time out after 0.3 s. In brackets the number of requests.",
    ),
    Picture(
        "idempotency",
        "A payment that must not be made twice",
        "compare",
        (Run("idempotency"),),
        "Customers who wait for too long ask again. Without a store of keys that is another "
        "payment; a store that drops duplicates keeps the news of it from one customer in five; "
        "one that joins them to the first request answers all, for one payment each.",
        {
            "figure": tuple(
                f"{panel}: {who} = {who}{above} / {who}.logical_requests"
                for panel, above in (
                    ("payments per request", "_ledger.requests_completed"),
                    ("share of requests that end well", ".successes"),
                )
                for who in ("bare", "dropping", "joining")
            )
        },
    ),
    Picture(
        "idempotency_latency",
        "The same, by latency",
        "latency",
        (Run("idempotency", "how long payments take until they end, well or not"),),
        "Attempts last half a second, and there is half a second between two of them.",
    ),
    Picture(
        "saga",
        "What a saga takes back, and what it leaves behind",
        "lines",
        (Run("saga", "orders of three steps"),),
        "While shipping is slow, more than a third of the orders are refunded, and shipped all the "
        "same. While payment is down no order is shipped, and refunds wait until it is back.",
        {
            "figure": (
                "completed = orders.sagas_completed",
                "taken back = orders.sagas_compensated",
                "taken back, and shipped = orders.late_step_completions",
                "sagas that wait for refunds = orders.compensating_instances",
            )
        },
    ),
    Picture(
        "cache_stampede",
        "A cache that never fills again",
        "storm",
        (
            Run("cache_stampede", "each miss fetches for itself"),
            Run("cache_stampede", "misses of a key share a fetch", ("store.coalesce=true",)),
        ),
        "A cache is emptied once. All who want the same key ask the database for it, each on their "
        "own, and again when it takes too long, so what they ask for always comes too late to be "
        "kept. Where misses of a key share a fetch it is over in three seconds.",
        {"client": "users", "server": "database"},
    ),
    Picture(
        "zombies",
        "A machine that works for nobody",
        "lines",
        (
            Run("zombies", "half a second of 30 requests/s", ("replications=200", "interval=1s")),
            Run(
                "zombies",
                "two seconds",
                ("replications=200", "interval=1s", "users.arrivals.rate.spike.for=2s", "duration=27s"),
            ),
        ),
        "Requests that were given up take as much of a shared machine as others. Whether a spike "
        "outlives itself is a matter of chance; its probability is that of a Markov chain: 0.40 "
        "after half a second, 0.95 after two.",
        {
            "figure": (
                "in service at the machine = service.busy_workers",
                "of these, awaited by somebody = users.in_flight",
                "goodput = users.successes",
            )
        },
    ),
    Picture(
        "link_outage",
        "Ten seconds without a network",
        "storm",
        (
            Run("link_outage", "280 requests/s, of 300"),
            Run("link_outage", "100 requests/s", ("users.arrivals.rate=100/s", "duration=60s")),
        ),
        "A link holds ten seconds of queries and delivers them at once. With more than half of the "
        "capacity in use and one retry nothing succeeds ever after.",
    ),
    Picture(
        "concurrency_limits",
        "Limits that find out by themselves",
        "outcomes",
        (Run("concurrency_limits", "one overload, three services", ("interval=1s", "output.series=[free_users, aimd_users, vegas_users]")),),
        "Twice as much as the service can do, for twenty seconds. Without a limit it works for "
        "nobody from then on; with one, the rest is rejected at once and comes again later.",
        {"group": ("free_users", "aimd_users", "vegas_users")},
    ),
    Picture(
        "autoscaling",
        "Replicas that come too late",
        "lines",
        (
            Run("autoscaling", "as it is", ("output.series=[users, service]",)),
            Run(
                "autoscaling",
                "with a limit on requests in flight",
                ("service.concurrency_limit={fixed: 50}", "output.series=[users, service]"),
            ),
        ),
        "By the time that ten replicas serve there are so many requests waiting that all answers "
        "come too late. A service that rejects what it cannot do in time needs seven, and helps "
        "most of its users meanwhile.",
        {
            "figure": (
                "goodput = users.successes",
                "replicas that serve = service.replicas",
            )
        },
    ),
    Picture(
        "load_balancing",
        "A backend that fails fast",
        "lines",
        (
            Run("load_balancing", "with outlier ejection", ("replications=4",)),
            Run(
                "load_balancing",
                "without",
                ("replications=4", "balancer.outlier_ejection=[]"),
            ),
        ),
        "One of ten backends rejects all that it gets, at once, and so is never busy: of power of "
        "two choices it gets twice its share.",
        {
            "figure": (
                "requests that fail = users.failures",
                "requests that the bad one gets = bad.requests_received",
                "backends available = balancer.available_backends",
            )
        },
    ),
    Picture(
        "saga_partition",
        "A saga and three partitions",
        "lines",
        (
            Run(
                "saga_partition",
                "orders, while nothing, requests only, or late requests arrive",
                ("output.series=[users, orders, payment]",),
            ),
        ),
        "Three times the network parts the orders from the payment service. All three times the "
        "orders are taken back; but in the second partition all cards are charged, and in the third "
        "they are charged at its end.",
        {
            "figure": (
                "completed = orders.sagas_completed",
                "taken back = orders.sagas_compensated",
                "cards charged per order made = payment.requests_completed / users.logical_requests",
            )
        },
    ),
    Picture(
        "circuit_breaker",
        "A breaker that ends the storm",
        "storm",
        (
            Run("circuit_breaker", "with a circuit breaker", ("replications=8",)),
            Run("circuit_breaker", "without", ("replications=8", "users.call.breaker=none")),
        ),
        "The storm from above, before users with a circuit breaker and without. Breakers of ten "
        "fleets of users, which open as one; a probe finds the service well.",
        {"client": "users"},
    ),
    Picture(
        "storm_map",
        "Which triggers set off a storm that does not end",
        "heatmap",
        (Run("storm_map", folder="sweeps"),),
        "A service is five times as slow for a while, at eight loads: colours are the share of "
        "requests that succeed half a minute and more after it. At 400/s it is a matter of chance "
        "whether a second is too long.",
    ),
    Picture(
        "storm_map_axis",
        "The same, along the length of the trigger",
        "axis",
        (Run("storm_map", folder="sweeps"),),
        "Bands are intervals of 95 % confidence, which are wide only where chance decides.",
        {
            "axis": ("timeline[0].for",),
            "where": tuple(f"users.arrivals.poisson={load}/s" for load in (200, 300, 400, 600, 900)),
            "figure": ("requests that succeed after 60 s = users.successes / users.logical_requests",),
            "span": (60.0, 80.0),
        },
    ),
    Picture(
        "breaking_load",
        "At which load a short trigger becomes a storm",
        "heatmap",
        (Run("breaking_load", folder="sweeps"),),
        "A search for the load at which half of the replications do not recover, for each of four "
        "policies of retry. Colours are the share of requests that succeed at the loads it looked "
        "at. Backoff does not help; a budget that successes have to earn does.",
    ),
    Picture(
        "sensitivity",
        "Which settings matter",
        "sensitivity",
        (Run("sensitivity", "share of requests that succeed after a trigger", folder="sweeps"),),
        "Five settings, changed one after the other along sixteen trajectories. A long timeout "
        "helps and a long queue harms, each where the other lets it, which is what the large sigma "
        "says; what the delay seems to do is within the noise of three replications.",
    ),
    Picture(
        "optimistic_writes",
        "Backoff, with jitter and without",
        "cdf",
        (Run("optimistic_writes", "how long ten clients take to change the same row"),),
        "Ten clients want to change the same row at the same moment; whoever comes too late waits, "
        "and tries again. Without jitter all wait alike, and meet again.",
    ),
)


class Workshop:
    """Runs studies, each once, and keeps their files as long as it is open."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.made: dict[tuple[str, tuple[str, ...]], pathlib.Path] = {}

    def results(self, run: Run, more: tuple[str, ...] = ()) -> pathlib.Path:
        """The results file of a run; `more` are changes for all."""
        key = (run.path, (*run.changes, *more))
        if key not in self.made:
            path = self.folder / f"{len(self.made)}.h5"
            changes = [word for change in key[1] for word in ("--set", change)]
            command = [PROGRAM, "run", ROOT / run.path, "--quiet", "--output", path, *changes]
            subprocess.run(command, check=True)
            self.made[key] = path
        return self.made[key]


def make(
    picture: Picture, workshop: Workshop, folder: pathlib.Path, more: tuple[str, ...] = ()
) -> pathlib.Path:
    """Runs what a picture needs, draws it and returns its path."""
    from squall.plot import PLOTS  # matplotlib takes a while to load

    paths = [workshop.results(run, more) for run in picture.runs]
    labels = [run.label for run in picture.runs if run.label] or None
    path = folder / f"{picture.name}.png"
    with ExitStack() as stack:
        files = [stack.enter_context(squall.open(file)) for file in paths]
        figure = PLOTS[picture.plot](files, labels=labels, **picture.options)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def page() -> str:
    """The text of README.md."""
    about = (
        "Pictures of the scenarios and sweeps in [configs](../../configs), whose comments tell the "
        "story of each. Lines over time and bars of amplification are medians over replications, "
        "bands and whiskers the middle 90 % of them; figures side by side and along axes of sweeps "
        "are means, with intervals of 95 % confidence. What the timeline did is shaded. `analysis/gallery/make.py` makes them and "
        "this page, from the rows it begins with."
    )
    sections = [section(picture) for picture in PICTURES]
    return "\n".join(["# Gallery\n", filled(about), *sections])


def filled(text: str) -> str:
    """A paragraph of the page."""
    return textwrap.fill(text, 100, break_on_hyphens=False) + "\n"


def section(picture: Picture) -> str:
    """A picture with its caption, and the commands that make it."""
    lines = [f"## {picture.title}\n", f"![{picture.title}]({picture.name}.png)\n"]
    lines += [filled(picture.caption), "```sh"]
    files = []
    for number, run in enumerate(picture.runs):
        file = f"{run.scenario}{number or ''}.h5"
        changes = [f" \\\n    --set {shlex.quote(change)}" for change in run.changes]
        output = f" --output {file}" if number else ""
        lines.append(f"squall run {run.path}{output}{''.join(changes)}")
        files.append(file)
    lines.append(drawing(picture, files))
    return "\n".join([*lines, "```\n"])


def drawing(picture: Picture, files: list[str]) -> str:
    """The command that draws a picture."""
    words = [f"python3 -m squall plot {' '.join(files)} {picture.plot} -o {picture.name}.png"]
    words += [f"--label {shlex.quote(run.label)}" for run in picture.runs if run.label]
    for name, value in picture.options.items():
        if name == "span":
            words.append(f"--span {value[0]:g} {value[1]:g}")
        else:
            values = (value,) if isinstance(value, str) else value
            words += [f"--{name} {shlex.quote(one)}" for one in values]
    return " \\\n    ".join(words)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [picture.name for picture in PICTURES]
    parser.add_argument("name", nargs="*", help=f"which pictures, of {', '.join(names)}")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE, help="a folder")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.name if name not in names]
    if unknown:
        parser.error(f"there is no picture '{unknown[0]}' (there are: {', '.join(names)})")
    with tempfile.TemporaryDirectory(prefix="squall-gallery-") as folder:
        workshop = Workshop(pathlib.Path(folder))
        for picture in PICTURES:
            if not arguments.name or picture.name in arguments.name:
                print(make(picture, workshop, arguments.output))
    (arguments.output / "README.md").write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
