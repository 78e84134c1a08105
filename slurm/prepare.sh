# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# --- the program and what it needs; also part of every job ---

# Shells of jobs need not know what modules are.
load_modules() {
    local file
    if ! type module >/dev/null 2>&1; then
        for file in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash" \
            /etc/profile.d/lmod.sh /etc/profile.d/modules.sh; do
            [ ! -r "$file" ] || break
        done
        # shellcheck disable=SC1090 # whichever was found
        . "$file"
    fi
    # shellcheck disable=SC2086 # several words
    module load $SQUALL_MODULES
}

# What sites write is not made for set -u.
prepare() {
    set +u
    [ -z "$SQUALL_MODULES" ] || load_modules
    eval "$SQUALL_SETUP"
    set -u
}

# squall_with LAUNCHER ARGUMENT...
squall_with() {
    local launcher=$1
    shift
    # shellcheck disable=SC2086 # several words
    $launcher $SQUALL_CONTAINER "$SQUALL" "$@"
}
