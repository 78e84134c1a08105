#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh Debian 12 to a retry storm and its picture, in a few minutes:
#
#   configs/quickstart.sh
#
# Installs what is missing of configs/packages.txt (as root or by sudo; with nothing missing,
# neither apt nor a network is needed), builds into build/, runs the retry storm of
# configs/scenarios/ on two ranks, once as it is and once without retries, and leaves results and
# picture in build/quickstart/. May be run again, and from anywhere.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build
results=$build/quickstart
scenario=$root/configs/scenarios/retry_storm.yaml
ranks=2

say() {
    printf '\n=== %s\n' "$*"
}

build_program() {
    say "Building squall in $build"
    cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release
    cmake --build "$build" --parallel "$(nproc)" --target squall
}

# run_storm NAME [OPTION...]: writes $results/NAME.h5 and shows its tables.
run_storm() {
    name=$1
    shift
    say "Running $name on $ranks ranks"
    mpirun -n "$ranks" "$build/src/squall" run "$scenario" --force --output "$results/$name.h5" "$@"
    "$build/src/squall" inspect "$results/$name.h5"
}

draw() {
    say "Drawing"
    # Debian's Python, which has the packages, whatever else is first in PATH.
    PYTHONPATH=$root/analysis /usr/bin/python3 -m squall plot \
        "$results/retry_storm.h5" "$results/no_retries.h5" storm -o "$results/retry_storm.png"
}

say "Packages"
"$root/tests/install.sh" "$root/configs/packages.txt"
build_program
mkdir -p "$results"
# What Open MPI needs where ranks outnumber cores, in containers, and as root.
set -a
# shellcheck source=tests/mpi.env
. "$root/tests/mpi.env"
set +a
run_storm retry_storm
run_storm no_retries --set users.call.retry.max_attempts=1
draw

say "Results and picture"
printf '%s\n' "$results/retry_storm.h5" "$results/no_retries.h5" "$results/retry_storm.png"
