#!/usr/bin/env bash
# Builds the examples and runs each with a time limit. Exit code 0 only if each did what its README says.
#
#   Scripts/examples.sh [SECONDS]     SECONDS: how long each call lasts (5)
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-5}"
scratch="${BUILD:-.build}-examples"
case "$scratch" in /*) ;; *) scratch="$PWD/$scratch" ;; esac
swift build --package-path Examples --scratch-path "$scratch"
programs="$(swift build --package-path Examples --scratch-path "$scratch" --show-bin-path)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
failed=0

# example NAME COMMAND...: runs it; a minute more than the call lasts is plenty for everything else
example() {
    local name="$1" status=0
    shift
    timeout --kill-after=5 "$((seconds + 60))" "$@" >"$folder/log" 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        echo "$name: as it should be ($(tail -n 1 "$folder/log"))"
    else
        echo "$name: FAILED with exit code $status" >&2
        sed 's/^/    /' "$folder/log" >&2
        failed=1
    fi
}

example smallest-call "$programs/smallest-call" "$seconds"
example two-machines Examples/Sources/two-machines/both-ends.sh "$programs/two-machines" "$seconds"
example raw-media "$programs/raw-media" "$folder/media" "$seconds"

# An error is one sentence and an exit code that is not 0.
if "$programs/two-machines" offer "$folder/none/offer.sdp" "$folder/answer.sdp" 1 --lab >"$folder/log" 2>&1; then
    echo "two-machines: an offer that cannot be written was no error" >&2
    failed=1
fi
exit "$failed"
