#!/usr/bin/env bash
# Builds the tests with a sanitizer and runs them. What it finds is an error, and so is a leak.
#
#   Scripts/sanitize.sh address [FILTER]     all tests, or those that FILTER names
#   Scripts/sanitize.sh thread [FILTER]      the tests of what has threads, or those that FILTER names
#
# Everything is slower under a sanitizer: PETREL_PATIENCE stretches the times that live tests wait, PETREL_CYCLES are
# the calls that connect and close.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizer="${1:-}"
case "$sanitizer" in
address) filter="${2:-.}" ;;
thread) filter="${2:-^(PetrelTests|PetrelLabTests|PetrelToolsTests)\.}" ;;
*)
    echo "use: Scripts/sanitize.sh address|thread [FILTER]" >&2
    exit 2
    ;;
esac
scratch="${BUILD:-.build}-$sanitizer"
export PETREL_SERVER=1 PETREL_PATIENCE="${PETREL_PATIENCE:-4}" PETREL_CYCLES="${PETREL_CYCLES:-50}" PETREL_SANITIZER="$sanitizer"
# Their own exit code, since a test process that ends well would hide what was found on the way.
# A small quarantine, since some tests look at the memory of the process.
export ASAN_OPTIONS="detect_leaks=1:exitcode=66:quarantine_size_mb=16:suppressions=$PWD/Scripts/asan.txt:${ASAN_OPTIONS:-}"
export TSAN_OPTIONS="halt_on_error=0:exitcode=66:suppressions=$PWD/Scripts/tsan.txt:${TSAN_OPTIONS:-}"

export LSAN_OPTIONS="suppressions=$PWD/Scripts/lsan.txt:print_suppressions=0:${LSAN_OPTIONS:-}"

began=$SECONDS
# Optimised, since whole calls with codecs would take half an hour else; all checks of the language stay in.
options=(--sanitize="$sanitizer" --scratch-path "$scratch" -Xswiftc -O)
# Linking says once for each of its own functions that it does not export them.
swift build --build-tests "${options[@]}" 2> >(grep -v 'Cannot export local symbol' >&2)
echo "tests built with the $sanitizer sanitizer in $((SECONDS - began)) s" >&2
began=$SECONDS
swift test --skip-build --disable-xctest "${options[@]}" --filter "$filter"
echo "tests run with the $sanitizer sanitizer in $((SECONDS - began)) s" >&2
