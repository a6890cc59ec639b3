#!/usr/bin/env bash
# Builds a benchmark in release mode and runs it: Scripts/bench.sh packets|driver|clean|setup|long [OPTIONS]
#
# The first build takes minutes, since nothing is shared with debug builds. For packets and driver, a library that
# counts heap allocations is built and preloaded (Linux with glibc; elsewhere they are not counted).
#
#   BUILD=FOLDER   where to build: .build
set -euo pipefail
cd "$(dirname "$0")/.."

scratch="${BUILD:-.build}/benchmarks" product=petrel-bench
if [ "${1:-}" = driver ]; then product=petrel-bench-driver; fi
mkdir -p "$scratch"
Scripts/build.sh release "$product" "$scratch" Benchmarks
program="$scratch/release/$product"

case "$(uname -s) ${1:-}" in
"Linux packets" | "Linux driver")
    source=Benchmarks/Preload/alloc_count.c library="$scratch/liballoc_count.so"
    compiler=$(command -v cc || command -v clang)
    if [ ! "$library" -nt "$source" ]; then "$compiler" -O2 -Wall -Wextra -shared -fPIC -o "$library" "$source"; fi
    LD_PRELOAD="$(cd "$scratch" && pwd)/liballoc_count.so"
    export LD_PRELOAD
    ;;
esac
exec "$program" "$@"
