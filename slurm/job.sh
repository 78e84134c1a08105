# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2317 # a part of scripts
# --- a shard of a study, or all of it ---

# Replications that the journal has.
finished() {
    local told
    told=$(squall_with "" status "$journal" --json 2>/dev/null) || told='"done": 0' # none is there
    told=${told#*'"done": '}
    echo "${told%%[!0-9]*}"
}

note() {
    echo "$*" >"state/$work.new"
    mv "state/$work.new" "state/$work"
}

forward() {
    kill -s "$1" "$child" 2>/dev/null || true
}

# In the background, since a shell heeds signals only when what runs in the foreground has ended.
# A signal ends `wait`, but not squall. `exec`: no shell stands between this one and the launcher.
run_squall() {
    squall_with "exec $SQUALL_LAUNCH" run "$config" "${options[@]}" --output "$name.h5" --resume \
        "${share[@]}" &
    child=$!
    trap 'forward USR1' USR1
    trap 'forward TERM' TERM
    while kill -0 "$child" 2>/dev/null; do
        wait "$child" || true
    done
    wait "$child"
}

# Who cancels a job, or is at its time limit, does not want it back.
is_wanted() {
    [[ $(scontrol show job -o "$SLURM_JOB_ID") == *" JobState=RUNNING "* ]]
}

# count_stalls N: how many runs in a row, up to this one, have finished nothing, when N replications
# were there before it.
count_stalls() {
    local stalls=0
    if [ "$(finished)" = "$1" ]; then
        stalls=$(($(cat "state/$work.stalls" 2>/dev/null || echo 0) + 1))
    fi
    echo "$stalls" >"state/$work.stalls"
    echo "$stalls"
}

# stopped N: as above
stopped() {
    if ! is_wanted; then
        note "stopped by Slurm"
    elif [ "$(count_stalls "$1")" -gt "$SQUALL_STALLS" ]; then
        note "failed: no progress"
        echo "Not one replication was finished in $((SQUALL_STALLS + 1)) runs of this job:" \
            "submit it again with a longer --time." >&2
    elif note "stopped, requeued" && scontrol requeue "$SLURM_JOB_ID"; then
        exit 0
    else
        note "stopped"
        echo "Slurm does not requeue this job: submit it again." >&2
    fi
}

work=run
share=()
journal=$name.journal
if [ "$shards" -gt 0 ]; then
    work=shard-$SLURM_ARRAY_TASK_ID
    share=(--shard "$SLURM_ARRAY_TASK_ID/$shards")
    journal=$name.shard-$SLURM_ARRAY_TASK_ID-of-$shards.journal
fi
echo "=== $(date '+%F %T') job $SLURM_JOB_ID on ${SLURM_JOB_NODELIST:-}," \
    "restarted ${SLURM_RESTART_COUNT:-0} times"
note "running"
prepare
before=$(finished)
status=0
run_squall || status=$?
case $status in
0)
    rm -f "state/$work.stalls"
    note "done"
    ;;
3) stopped "$before" ;;
*) note "failed with status $status" ;;
esac
exit "$status"
