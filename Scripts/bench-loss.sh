#!/usr/bin/env bash
# Calls over links that lose, in virtual time: runs what has not been run yet, then prints the table and writes the page.
#
#   Scripts/bench-loss.sh [OPTIONS]   the matrix of docs/performance.md, or the cells that the options of
#                                     petrel-bench-loss choose: --loss 30 --model random --rtt 100 --seeds 1-5
#   QUICK=1                           a few cells with a small picture at the full rate: minutes instead of hours
#   BUILD=FOLDER                      where to build: .build. Results and page lie in FOLDER/bench-loss.
#   OUT=FILE.jsonl                    results in another file, the page beside it
set -euo pipefail
cd "$(dirname "$0")/.."

build="${BUILD:-.build}" product=petrel-bench-loss
scratch="$build/benchmarks" folder="$build/bench-loss"
mkdir -p "$scratch" "$folder"
Scripts/build.sh release "$product" "$scratch" Benchmarks
program="$scratch/release/$product"

# The clip as plain pictures, shown 30 a second instead of 25: nothing is doubled, and it moves faster by a fifth.
readonly clip=.assets/bigbuckbunny.mp4 speech=.assets/speech.wav film=.assets/film.y4m
if [ ! -f "$clip" ] || [ ! -f "$speech" ]; then
    echo "The clip or the speech is missing: Scripts/setup.sh media fetches them." >&2
    exit 1
fi
if [ ! "$film" -nt "$clip" ]; then
    ffmpeg -nostdin -v error -y -r 30 -i "$clip" -pix_fmt yuv420p -f yuv4mpegpipe "$film.new"
    mv "$film.new" "$film"
fi

# Results of another program are not mixed with this one's.
commit=$(git describe --always --dirty=+ 2>/dev/null || echo none)
if command -v sha256sum >/dev/null; then sum=$(sha256sum "$program"); else sum=$(shasum -a 256 "$program"); fi
revision="$commit ${sum:0:8}"

run() { "$program" --film "$film" --speech "$speech" --out "$out" --revision "$revision" "$@"; }

if [ -n "${QUICK:-}" ]; then
    out="${OUT:-$folder/quick.jsonl}"
    # The size of a frame in packets is what repair sees, and that is the encoder's rate, not the picture's height.
    small=(--height 270 --seconds 30 --seeds 1)
    run "${small[@]}" --loss 0,10,30,50 --model random --rtt 100 "$@"
    run "${small[@]}" --loss 30 --model burst3,burst8 --rtt 100 "$@"
    run "${small[@]}" --loss 0,30 --model random --rtt 40,200 "$@"
else
    out="${OUT:-$folder/results.jsonl}"
    run "$@"
fi
exec .venv/bin/python Benchmarks/Limits/report.py "$out" --page "${out%.jsonl}.html" --revision "$revision"
