#!/usr/bin/env bash
# Builds one product and shows how far it is: Scripts/build.sh release|debug PRODUCT SCRATCH-PATH [PACKAGE-FOLDER]
# One line that is redrawn on a terminal, nothing else unless the compiler has something to say.
set -euo pipefail
cd "$(dirname "$0")/.."
configuration="$1" product="$2" scratch="${3:-.build}" package="${4:-.}"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
began=$SECONDS
status=0
if [ -t 2 ]; then
    swift build -c "$configuration" --product "$product" --scratch-path "$scratch" \
        --package-path "$package" 2>&1 | tee "$log" \
        | while IFS= read -r line; do
            case "$line" in
            \[*\]* | Fetch* | Clon* | Comput* | Plan* | Build*)
                printf '\r\033[Kbuilding %s (%d s) %.60s' "$product" "$((SECONDS - began))" "$line" >&2
                ;;
            esac
        done || status=$?
    printf '\r\033[K' >&2
else
    swift build -c "$configuration" --product "$product" --scratch-path "$scratch" \
        --package-path "$package" >"$log" 2>&1 || status=$?
fi
if [ "$status" -ne 0 ]; then
    grep -E 'error:|warning:' "$log" >&2 || cat "$log" >&2
    echo "$product could not be built; the lines above say why." >&2
    exit 1
fi
if ((SECONDS - began > 2)); then echo "$product built in $((SECONDS - began)) s" >&2; fi
