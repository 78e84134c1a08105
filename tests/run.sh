#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# All tests of squall, from a fresh Debian 12:
#
#   tests/run.sh
#
# Installs what is missing (as root or by sudo; with nothing missing neither apt nor a network is
# needed), and builds and tests three times: with gcc, everything; with clang, the unit tests; with
# gcc's sanitizers, all but what would take them too long. The last line is "N passed, N failed".
# Builds are kept below build/tests, or below SQUALL_BUILD, and are brought up to date the next time.
set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${SQUALL_BUILD:-$root/build/tests}
jobs=$(nproc)
passed=0
failed=0

say() {
    printf '\n=== %s\n' "$*"
}

# stage TEXT COMMAND...: says how long it took; the status is that of the command.
stage() {
    local text=$1 began=$SECONDS status=0
    shift
    say "$text"
    "$@" || status=$?
    say "$text: $((SECONDS - began)) s$([ $status = 0 ] || echo ", FAILED")"
    return $status
}

# An attribute of the first element of a report in JUnit's form.
attribute() {
    grep -o -s -m 1 "\b$1=\"[0-9]*\"" "$2" | head -n 1 | grep -o '[0-9]*'
}

# Adds what a report says to the sums.
count() {
    local tests bad
    if ! tests=$(attribute tests "$1") || ! bad=$(attribute failures "$1") || [ "$tests" = 0 ]; then
        echo "no test was run: this counts as a failure"
        failed=$((failed + 1))
        return
    fi
    failed=$((failed + bad))
    passed=$((passed + tests - bad - $(attribute skipped "$1") - $(attribute disabled "$1")))
}

# compile NAME OPTION...: configures and builds one tree.
compile() {
    local tree=$build/$1
    shift
    cmake -S "$root" -B "$tree" "$@" >"$tree.log" 2>&1 || { cat "$tree.log"; return 1; }
    cmake --build "$tree" --parallel "$jobs" >"$tree.log" 2>&1 || { cat "$tree.log"; return 1; }
}

# tree NAME SELECTION OPTION...: builds one tree and runs the tests that ctest selects.
tree() {
    local name=$1 selection=$2 report=$build/$1.xml
    shift 2
    rm -f "$report"
    # shellcheck disable=SC2086 # the selection is several words
    stage "$name: build" compile "$name" "$@" &&
        stage "$name: tests" ctest --test-dir "$build/$name" --parallel "$jobs" --timeout 900 \
            --output-on-failure --output-junit "$report" $selection
    count "$report"
}

if ! stage "packages" "$root/tests/install.sh" "$root/configs/packages.txt" \
    "$root/tests/packages.txt"; then
    say "going on without them"
fi
mkdir -p "$build"
tree release "" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release
tree clang "-L unit" -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release
tree sanitized "-LE source|analysis" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_C_FLAGS=-O1 -DSQUALL_SANITIZE=address,undefined
say "all: $SECONDS s"
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
