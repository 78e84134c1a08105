# SPDX-License-Identifier: Apache-2.0
"""A picture as a page that stands by itself: with where its numbers come from, and the numbers."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from squall import sweeps
from squall.file import Results

if TYPE_CHECKING:
    import pandas

SVG_MOST = 2_000_000  # [B] of a drawing; a larger one is embedded as dots
ROWS_MOST = 400  # of a table
KNOWN = (  # attributes of a file, and what they are called here
    ("title", "study"),
    ("software", "software"),
    ("git", "git"),
    ("seed", "seed"),
    ("results_digest", "digest of the results"),
    ("config_hash", "hash of the configuration"),
    ("plan_hash", "hash of the plan"),
)
MADE = (("created", "made"), ("command", "command"), ("host", "host"))
LOOK = """\
body { font: 15px/1.45 sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; color: #222 }
svg, img { max-width: 100%; height: auto }
pre { background: #f4f4f4; padding: .6em .8em; overflow-x: auto }
table { border-collapse: collapse; font-size: 13px; margin: .5em 0 1.5em }
th, td { padding: .15em .7em; border-bottom: 1px solid #ddd; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums }
"""


def page(
    drawn: Figure,
    title: str,
    command: str,
    files: Sequence[Results],
    tables: Sequence[tuple[pandas.DataFrame, str]] = (),
) -> str:
    """The text of the page. Nothing in it is fetched from elsewhere, and no script runs. `tables`
    have the numbers behind the picture, and what they are; `files` may be none, as of a plan."""
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>\n{LOOK}</style></head><body>",
        f"<h1>{html.escape(title)}</h1>",
        picture(drawn, title),
        f"<pre>{html.escape(command)}</pre>",
    ]
    if files:
        parts += ["<h2>Where it comes from</h2>", _provenance(files)]
    if tables:
        parts.append("<h2>Numbers</h2>")
    for table, note in tables:
        parts += [f"<p>{html.escape(note)}</p>", _table(table)]
    return "\n".join([*parts, "</body></html>", ""])


def picture(drawn: Figure, title: str) -> str:
    """The figure as an element: a drawing, or dots where that would be too large."""
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "squall", "svg.fonttype": "path"}):
        drawn.savefig(out, format="svg", metadata={"Date": None, "Title": title})
    if out.tell() <= SVG_MOST:
        text = out.getvalue().decode()
        return text[text.index("<svg") :]
    out = io.BytesIO()
    drawn.savefig(out, format="png")
    data = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/png;base64,{data}">'


def _provenance(files: Sequence[Results]) -> str:
    opened = [one for results in files for one in getattr(results, "files", (results,))]
    heads = [name for _, name in (*KNOWN, *MADE)]
    rows = []
    for results in opened:
        made = results.h5["provenance"].attrs if "provenance" in results.h5 else {}
        told = [results.h5.attrs.get(key, "") for key, _ in KNOWN]
        told += [made.get(key, "") for key, _ in MADE]
        rows.append([results.path, *map(str, told)])
    columns = list(zip(["file", *heads], *rows))
    lines = [
        f"<tr><th>{html.escape(name)}</th>" + "".join(map(_cell, told)) for name, *told in columns
    ]
    return "<table>\n" + "</tr>\n".join(lines) + "</tr>\n</table>"


def _table(table: pandas.DataFrame) -> str:
    shown = table.head(ROWS_MOST)
    heads = "".join(f"<th>{html.escape(str(name))}</th>" for name in table)
    lines = ["<table>", f"<tr>{heads}</tr>"]
    for row in shown.itertuples(index=False):
        lines.append("<tr>" + "".join(map(_cell, row)) + "</tr>")
    lines.append("</table>")
    if len(table) > len(shown):
        lines.append(f"<p>and {len(table) - len(shown)} more rows</p>")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, (int, float, np.integer, np.floating)):
        known = np.isfinite(value)
        return f'<td class="n">{f"{value:.6g}" if known else ""}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def numbers(
    files: Sequence[Results], plot: str, options: dict, points: Sequence[int]
) -> list[tuple[pandas.DataFrame, str]]:
    """The tables behind a picture, and what they have."""
    import pandas

    from squall import influence
    from squall.plot import OF_SWEEPS

    if plot == "sensitivity":
        options = {name: value for name, value in options.items() if name in influence.OPTIONS}
        parts = [influence.table(results, **options) for results in files]
        return [(pandas.concat(parts, ignore_index=True), "Each setting, with 95 % intervals.")]
    if plot in OF_SWEEPS:
        return _of_sweeps(files, options)
    parts = []
    for results, place in zip(files, points):
        whole = results.summary(quantiles=(0.5, 0.99))
        some = whole[whole["point"] == results.points[place]]
        parts.append(some[(some["value"].fillna(0) != 0) & (some["measure"] != "count")])
    named = ["file", "group", "statistic", "measure"]
    numbered = ["value", "half_width", "unit", "replications"]
    kept = pandas.concat(parts, ignore_index=True)[[*named, *numbered]]
    note = (
        "Of the whole run after the warm-up: means over replications, with half the width of their "
        "95 % intervals; percentiles of all values together. What is zero is left out."
    )
    return [(kept, note)]


def _of_sweeps(files: Sequence[Results], options: dict) -> list[tuple[pandas.DataFrame, str]]:
    import pandas

    study = None if options.get("figure") else sweeps.studied(files[0])  # as pictures do
    texts = options.get("figure") or [study.figure]
    span = options.get("span") or (study.span if study else None)
    where = options.get("where") or ()
    parts = [_by_point(it, texts, span, sweeps.chosen(it, where)) for it in files]
    found = [it for it in map(_found, files) if it is not None]
    tables = [(pandas.concat(parts, ignore_index=True), "Estimates by point, with 95 % intervals.")]
    if found:
        note = "What was found, with the intervals that hold it."
        tables.insert(0, (pandas.concat(found, ignore_index=True), note))
    return tables


def _found(results: Results) -> pandas.DataFrame | None:
    """The thresholds of all searches of a file."""
    import pandas

    found = sweeps.thresholds(results)
    if found is None:
        return None
    others = list(dict.fromkeys(path for where in found.where for path in where))
    columns = {"file": results.path}
    columns |= {path: [where.get(path, "") for where in found.where] for path in others}
    columns |= {
        "threshold on": found.path,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "unit": found.unit,
        "outcome": found.outcome,
    }
    return pandas.DataFrame(columns)


def _by_point(
    results: Results, texts: Sequence[str], span: tuple[float, float] | None, meant: np.ndarray
) -> pandas.DataFrame:
    import pandas

    parts = []
    for text in texts:
        curve = sweeps.curve(results, text, span)
        columns = {"file": results.path, "point": results.points[meant]}
        columns |= {
            f"{path} [{axis.unit}]" if axis.unit else path: axis.values[meant]
            for path, axis in results.axes.items()
        }
        columns |= {
            "figure": curve.name if span is None else f"{curve.name}, {sweeps.span_text(span)}",
            "estimate": curve.estimate[meant],
            "low": curve.low[meant],
            "high": curve.high[meant],
            "unit": curve.unit.strip("[]"),
            "replications": results.counted.sum(axis=1)[meant],
        }
        parts.append(pandas.DataFrame(columns))
    return pandas.concat(parts, ignore_index=True)
