#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is not yet installed of lists of Debian packages: tests/install.sh LIST...
# Lists have one package a line, and comments behind #. Neither apt nor a network is needed when
# nothing is missing.
set -eu

missing=$(cat "$@" | sed 's/#.*//' | while read -r package; do
    [ -n "$package" ] || continue
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=none
    [ "$status" = installed ] || printf '%s ' "$package"
done)
if [ -z "$missing" ]; then
    echo "all packages are installed"
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null; then
        echo "neither root nor sudo; as root, run: apt-get install $missing" >&2
        exit 1
    fi
fi
echo "Installing $missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086 # these are several words
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends $missing
