#!/usr/bin/env bash
# The packet path allocates nothing of ours: over at least 10,000 packets each, video and audio, sending and receiving,
# with and without loss, without a cipher (libsrtp2 allocates for itself). Then once more with one allocation a packet
# planted, which must be found, or the test could not fail. Linux only: allocations are counted by a preloaded library.
#
#   BUILD=FOLDER   where to build: .build
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -s)" != Linux ]; then
    echo "skipped: allocations are counted on Linux only"
    if [ "${CI:-}" = true ]; then exit 1; fi
    exit 0
fi

Scripts/bench.sh packets --check

scratch="${BUILD:-.build}/benchmarks"
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
LD_PRELOAD="$(cd "$scratch" && pwd)/liballoc_count.so" \
    "$scratch/release/petrel-bench" packets --check --plant-allocation >"$output" 2>&1 || status=$?
found=$(grep -c '^FAIL: .*: [1-9][0-9]* allocations over [1-9][0-9]* packets$' "$output" || true)
if [ "$status" -ne 1 ] || [ "$found" -ne 9 ]; then
    cat "$output" >&2
    echo "FAIL: one planted allocation a packet was found in $found of 9 paths (exit code $status)" >&2
    exit 1
fi
echo "PASS: one planted allocation a packet is found in each of the 9 paths"
