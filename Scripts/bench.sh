#!/usr/bin/env bash
# Builds the benchmarks in release mode and runs one: Scripts/bench.sh packets|clean|setup|long [OPTIONS]
#
# The first build takes minutes, since nothing is shared with debug builds. For packets, a library that counts heap
# allocations is built and preloaded (Linux with glibc; elsewhere they are not counted).
#
#   BUILD=FOLDER   where to build: .build
set -euo pipefail
cd "$(dirname "$0")/.."

scratch="${BUILD:-.build}/benchmarks"
mkdir -p "$scratch"
Scripts/build.sh release petrel-bench "$scratch" Benchmarks
program="$scratch/release/petrel-bench"

if [ "${1:-}" = packets ] && [ "$(uname -s)" = Linux ]; then
    source=Benchmarks/Preload/alloc_count.c library="$scratch/liballoc_count.so"
    compiler=$(command -v cc || command -v clang)
    if [ ! "$library" -nt "$source" ]; then "$compiler" -O2 -Wall -Wextra -shared -fPIC -o "$library" "$source"; fi
    LD_PRELOAD="$(cd "$scratch" && pwd)/liballoc_count.so" exec "$program" "$@"
fi
exec "$program" "$@"
