# SPDX-License-Identifier: Apache-2.0
"""Reads squall's results files and draws them.

    import squall
    with squall.open("retry_storm.h5") as results:
        sent = results.counter("client", "requests_sent")       # [point, replication, entity]
        p99 = results.quantiles("client", "request_latency", [0.99])

Opening reads nothing but names; numbers are read when asked for. What is derived from them is in
`squall.measures`, pictures are in `squall.plot` (which needs matplotlib) and on the command line:
`python3 -m squall --help`.
"""

from squall.file import Field, Results, ResultsError, open

__all__ = ["Field", "Results", "ResultsError", "open"]
