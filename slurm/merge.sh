# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # a part of scripts
# --- makes one results file of the journals of all shards ---

# Shards, of which not all need be done, are named by squall.
merge() {
    local journals
    shopt -s nullglob
    journals=("$name".shard-*-of-"$shards".journal)
    [ ${#journals[@]} -gt 0 ] || {
        echo "There is no journal of a shard." >&2
        return 3
    }
    squall_with "" merge --output "$name.h5" "${journals[@]}"
}

echo "=== $(date '+%F %T') job $SLURM_JOB_ID on ${SLURM_JOB_NODELIST:-}"
if [ -e "$name.h5" ]; then
    echo "$name.h5 is there already."
    exit 0
fi
prepare
status=0
merge || status=$?
if [ "$status" = 3 ]; then
    # All are done, and yet something is missing: somebody has changed their journals.
    [ "$(grep -l -s -x "done" state/shard-* | wc -l)" -lt "$shards" ] || rm state/shard-*
    echo "This runs what is missing, and merges again: $command" >&2
fi
exit "$status"
