# SPDX-License-Identifier: Apache-2.0
"""Reads squall's results files and draws them.

    import squall
    with squall.open("retry_storm.h5") as results:
        results.summary()                                       # pandas: all, with intervals
        results.stats("client")                                 # xarray: by replication
        results.frame("client", by="group")                     # pandas: the same
        p99, bound = results.quantiles("client", "request_latency", [0.99])
        p99.values, p99.unit, p99.to_xarray(), p99.to_pandas()

Opening reads nothing but names; numbers are read when asked for. Several files open as one:
`squall.open("a.h5", "b.h5")`. What is derived from numbers is in `squall.measures`, intervals of
confidence are in `squall.intervals`, pictures in `squall.plot` (which needs matplotlib) and on the
command line: `python3 -m squall --help`.
"""

import sys

from squall.packages import missing

try:
    from squall.fields import Field, Labels
    from squall.file import Results, ResultsError, open
except ModuleNotFoundError as error:
    what = missing(error)
    if what is None or sys.argv[:1] != ["-m"]:  # "-m": on its way to the command line
        raise
    print(f"squall: {what}", file=sys.stderr)
    sys.exit(2)

__all__ = ["Field", "Labels", "Results", "ResultsError", "open"]
