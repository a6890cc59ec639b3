#!/usr/bin/env bash
# Fuzzes what takes in bytes of a stranger: Scripts/fuzz.sh [SECONDS-PER-TARGET] [TARGET...]
#
# 30 seconds and all targets unless told otherwise. Needs Linux and libFuzzer, which the Swift toolchain brings. A
# finding ends its target, is kept under the build folder, and makes the exit code 1; the last lines say how to see it
# again and where to keep it. The corpora grow under the build folder from run to run.
#
#   BUILD=FOLDER             where to build and keep corpora: .build/fuzz
#   PETREL_FUZZ_TIMEOUT=5    seconds that one input may take: 1, for a machine that does nothing else
#   PETREL_FUZZ_ADDRESS=no   without the address sanitizer: faster, and blind inside memory that C hands out
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'fuzz: %s\n' "$*" >&2; }

seconds=30
if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
    seconds="$1"
    shift
fi
known="stun candidate_line sdp_parse sdp_offer_to_answer trickle_fragment demux_and_rtp rtcp_compound twcc rtx red opus_toc vp8_descriptor
dtls_datagram srtp_open ice_agent port_routes audio_receiver video_assembler repair_decoder link_description fec_header fec_receiver whole_peer"
targets=("$@")
# shellcheck disable=SC2206 # a list of words
[ "${#targets[@]}" -gt 0 ] || targets=($known)
for target in "${targets[@]}"; do
    if ! grep -qw -- "$target" <<<"$known"; then
        say "There is no target '$target'. There are:" $known
        exit 2
    fi
done

build="${BUILD:-.build/fuzz}"
mkdir -p "$build"
build=$(cd "$build" && pwd)
# A small quarantine: freed packet histories would soon fill the memory that libFuzzer allows.
# The backtracer holds the pipe of a program that dies; a fuzzer dies often.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1:allocator_may_return_null=1:quarantine_size_mb=16}"
export PETREL_VECTORS="${PETREL_VECTORS:-$PWD/../shared/vectors}"

sanitizers=(--sanitize=fuzzer)
if [ "${PETREL_FUZZ_ADDRESS:-yes}" != "no" ]; then sanitizers+=(--sanitize=address); fi
arguments=(-c release "${sanitizers[@]}" --package-path Tests/Fuzz --scratch-path "$build/program")
say "building (the first time takes minutes)"
log="$build/build.log"
if ! swift build "${arguments[@]}" --product petrel-fuzz >"$log" 2>&1; then
    grep -E 'error:' "$log" >&2 || tail -n 20 "$log" >&2
    say "petrel-fuzz could not be built; the whole log is $log"
    exit 1
fi
program="$(swift build "${arguments[@]}" --show-bin-path)/petrel-fuzz"

if [ -d "$PETREL_VECTORS" ]; then
    rm -rf "$build/seeds"
    # It ends in the middle of libFuzzer's start, so that what lives on is no leak.
    ASAN_OPTIONS=detect_leaks=0 PETREL_FUZZ_SEEDS="$build/seeds" "$program" >/dev/null
else
    say "no public corpora at $PETREL_VECTORS: starting from nothing"
fi

dictionaries="Tests/Fuzz/Dictionaries"
failed=()
for target in "${targets[@]}"; do
    corpus="$build/corpus/$target" findings="$build/findings/$target" output="$build/$target.log"
    mkdir -p "$corpus" "$findings" "$build/seeds/$target" "Tests/Fuzz/FailCases/$target"
    case "$target" in
    sdp_parse | sdp_offer_to_answer | trickle_fragment) length=65536 dictionary=sdp ;;
    candidate_line) length=2000 dictionary=candidate ;;
    stun | ice_agent | port_routes) length=4096 dictionary=stun ;;
    rtcp_compound | twcc) length=2000 dictionary=rtcp ;;
    dtls_datagram) length=4096 dictionary=dtls ;;
    link_description) length=8192 dictionary=link ;;
    whole_peer) length=16384 dictionary=peer ;;
    demux_and_rtp | rtx | red | srtp_open) length=2000 dictionary=rtp ;;
    *) length=4096 dictionary="" ;;
    esac
    options=(-max_total_time="$seconds" -timeout="${PETREL_FUZZ_TIMEOUT:-1}" -rss_limit_mb=512 -malloc_limit_mb=64 -max_len="$length"
        -artifact_prefix="$findings/" -print_final_stats=1 -verbosity=1)
    if [ -n "$dictionary" ]; then options+=(-dict="$dictionaries/$dictionary.dict"); fi
    status=0
    PETREL_FUZZ_TARGET="$target" "$program" "${options[@]}" \
        "$corpus" "$build/seeds/$target" "Tests/Fuzz/FailCases/$target" >"$output" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$output" | tail -n 1)
    if [ "$status" -eq 0 ]; then
        printf '%-20s %12s runs  no finding\n' "$target" "${runs:-0}"
    else
        printf '%-20s %12s runs  FINDING (exit code %d)\n' "$target" "${runs:-?}" "$status"
        grep -aE 'Fatal error|property violated|SUMMARY|ERROR: ' "$output" | head -n 5 | cut -c 1-300 || true
        failed+=("$target")
    fi
done
find Tests/Fuzz/FailCases -type d -empty -delete 2>/dev/null || true

if [ "${#failed[@]}" -gt 0 ]; then
    say "findings in: ${failed[*]}"
    say "once more:   PETREL_FUZZ_TARGET=TARGET SWIFT_BACKTRACE=enable=no $program $build/findings/TARGET/FILE"
    say "shorter:     the same with -minimize_crash=1 -max_total_time=30 -exact_artifact_path=OUT"
    say "keep it in   Tests/Fuzz/FailCases/TARGET/, which the tests replay"
    exit 1
fi
