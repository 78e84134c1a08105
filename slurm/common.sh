# SPDX-License-Identifier: Apache-2.0
#
# What slurm/submit and slurm/status, which set `here`, share: a study's folder, and what is in it.
#
#   study.env             what is run: config, options, name, shards (0: one job for all)
#   shards.sh, merge.sh   scripts of jobs; run.sh when there are no shards
#   submitted             jobs: "shards 17", "merge 18", "run 19"
#   state/shard-3         what has become of a shard, in words; "done" means that it is complete
#   logs/shard-3.log      what its jobs have said, one after the other
#   NAME.shard-3-of-8.journal, NAME.journal, NAME.h5

set -eu -o pipefail
shopt -s inherit_errexit # what fails in $(...) fails

die() {
    echo "slurm/${0##*/}: $*" >&2
    exit 2
}

# The environment goes before SQUALL_SITE, and that before slurm/site.env.
load_site() {
    # shellcheck disable=SC1090 # the user's
    [ -z "${SQUALL_SITE:-}" ] || . "$SQUALL_SITE"
    # shellcheck source=slurm/site.env disable=SC2154
    . "$here/site.env"
}

# ids KIND: of the study's jobs of that kind.
ids() {
    awk -v kind="$1" '$1 == kind {print $2}' submitted 2>/dev/null
}

# jobs_of KIND FORMAT [OPTION...]: what squeue's FORMAT has of the study's jobs of that kind, the
# last one submitted last.
jobs_of() {
    local all kind=$1 format=$2
    shift 2
    all=$(squeue -h -r -u "$(id -u)" -o "%F|$format" "$@") || die "squeue fails: is Slurm up?"
    sort -n <<<"$all" | awk -F'|' -v ids=" $(ids "$kind" | tr '\n' ' ')" \
        'index(ids, " " $1 " ") { print $2 }'
}

is_done() {
    grep -q -s -x "done" "state/$1"
}
