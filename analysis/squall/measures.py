# SPDX-License-Identifier: Apache-2.0
"""Measures of a storm, by name. Where they are defined, with units, shapes and sources:

    squall.load            offered load, attempt load, goodput and its ratio, throughput, latency,
                           queues, busy workers, breakers: by the interval
    squall.work            amplification, wasted work, zombies, outcomes, cost, fairness
    squall.trigger         when it begins and ends, capacity lost, load in excess
    squall.recovery        degraded windows, times to detect and to recover, blast radius
    squall.survival        times of which some are censored: Kaplan and Meier's estimate
    squall.metastability   the verdict and its probability, vulnerability over a sweep
    squall.hysteresis      the loop of goodput against a load that rises and falls, and its area
    squall.remedy          what a remedy is worth
    squall.series          sums over entities, of which these are made

Every one takes an open results file and as a rule `group` and `point`; arrays are of the
replications that ran to their end: [replication] or [replication, interval].
"""

from __future__ import annotations

from squall.hysteresis import Loop, hysteresis_of_ramp, hysteresis_of_sweeps
from squall.load import (
    arrival_load,
    attempt_load,
    breakers_half_open,
    breakers_open,
    busy_workers,
    goodput,
    goodput_kept,
    goodput_ratio,
    latency_quantile,
    offered_load,
    queue_depth,
    throughput,
    usual_goodput,
)
from squall.metastability import (
    Vulnerability,
    metastable,
    metastable_probability,
    still_degraded,
    vulnerability,
)
from squall.recovery import (
    DEGRADED,
    RECOVERED,
    Blast,
    blast_radius,
    degraded,
    degraded_within,
    time_to_detect,
    time_to_recover,
)
from squall.remedy import Remedy, remedy_value
from squall.series import counted, quotient, rate, select, total, within
from squall.survival import Survival, Times, kaplan_meier
from squall.trigger import capacity_loss_s, excess_load_s, trigger, trigger_end_s
from squall.work import (
    ARRIVED,
    amplification,
    amplification_over_time,
    attempt_ends,
    attempt_outcomes,
    attempts_per_success,
    client_ratios,
    fairness,
    jain,
    max_amplification,
    outcomes_by_status,
    request_outcomes,
    service_per_success,
    tier_amplification,
    wasted_work,
    worst_clients,
    zombie_share,
)

__all__ = [
    "ARRIVED",
    "Blast",
    "DEGRADED",
    "Loop",
    "RECOVERED",
    "Remedy",
    "Survival",
    "Times",
    "Vulnerability",
    "amplification",
    "amplification_over_time",
    "arrival_load",
    "attempt_ends",
    "attempt_load",
    "attempt_outcomes",
    "attempts_per_success",
    "blast_radius",
    "breakers_half_open",
    "breakers_open",
    "busy_workers",
    "capacity_loss_s",
    "client_ratios",
    "counted",
    "degraded",
    "degraded_within",
    "excess_load_s",
    "fairness",
    "goodput",
    "goodput_kept",
    "goodput_ratio",
    "hysteresis_of_ramp",
    "hysteresis_of_sweeps",
    "jain",
    "kaplan_meier",
    "latency_quantile",
    "max_amplification",
    "metastable",
    "metastable_probability",
    "offered_load",
    "outcomes_by_status",
    "queue_depth",
    "quotient",
    "rate",
    "remedy_value",
    "request_outcomes",
    "select",
    "service_per_success",
    "still_degraded",
    "throughput",
    "tier_amplification",
    "time_to_detect",
    "time_to_recover",
    "total",
    "trigger",
    "trigger_end_s",
    "usual_goodput",
    "vulnerability",
    "wasted_work",
    "within",
    "worst_clients",
    "zombie_share",
]
