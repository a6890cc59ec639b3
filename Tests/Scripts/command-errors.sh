#!/usr/bin/env bash
# What the petrel program says and does when it is used wrongly: one sentence, an exit code that is not 0, and nothing
# half-written left behind. Usage: Tests/Scripts/command-errors.sh PROGRAM
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(realpath "${1:-$root/.build/debug/petrel}")
work=$(mktemp -d)
children=()
trap 'for child in ${children[@]+"${children[@]}"}; do kill "$child" 2>/dev/null || true; done; rm -rf "$work"' EXIT
failures=0

# expect TEXT ARGUMENT...: the program fails with one line that holds the text, and leaves nothing in its folder
expect() {
    local text="$1" code=0 said before
    shift
    before=$(ls -A "$work/here")
    said=$(cd "$work/here" && PETREL_ASSETS="$work/assets" timeout 60 "$program" "$@" 2>&1 </dev/null) || code=$?
    if [ "$code" -eq 0 ] || [ "$code" -ge 124 ] || [ "$(wc -l <<<"$said")" -ne 1 ] || ! grep -qF -- "$text" <<<"$said"; then
        printf 'FAILED: petrel %s\n  expected one line with: %s\n  got %d: %s\n' "$*" "$text" "$code" "$said"
        failures=$((failures + 1))
    fi
    if [ "$(ls -A "$work/here")" != "$before" ]; then
        printf 'FAILED: petrel %s left behind: %s\n' "$*" "$(ls -A "$work/here")"
        failures=$((failures + 1))
        rm -rf "$work/here" && mkdir "$work/here"
    fi
}

mkdir "$work/here" "$work/assets"
head -c 20000 /dev/urandom >"$work/noise.mp4"

expect "Unknown option '--bogus'" --bogus
expect "Unknown option '--bogus'" lab relay --link lossy5 --bogus
expect "Missing expected argument '--link <link>'" lab relay
expect "column 10: unknown setting 'los'" lab relay --link delay=20,los=5
expect "out of range" lab relay --link loss=500
expect "no IP address" lab relay --link lossy5 --host nowhere
expect "is no address with a port" lab relay --link lossy5 --peer-a 127.0.0.1
expect "--seconds" lab relay --link lossy5 --seconds -1

# A port in use: by another relay.
"$program" lab relay --link lossy5 --a 0 --b 0 >"$work/relay" 2>&1 &
children+=($!)
for _ in $(seq 50); do grep -q "second program" "$work/relay" && break || sleep 0.1; done
port=$(sed -n 's/^first program:.*:\([0-9]*\)$/\1/p' "$work/relay")
expect "127.0.0.1:$port is in use by another program" lab relay --link lossy5 --a "$port"

expect "Unknown option '--bogus'" call --bogus
expect "unknown setting" call --link delai=20
expect "a call lasts from 1 to" call --seconds 0
expect "$work/missing.mp4 cannot be read: No such file or directory" call --seconds 2 --video "$work/missing.mp4"
expect "$work/noise.mp4 cannot be read: " call --seconds 2 --video "$work/noise.mp4"
expect "$work/missing.wav cannot be read: No such file or directory" call --seconds 2 --audio "$work/missing.wav"
expect "/proc/nothing cannot be written" call --seconds 2 --video testcard --report /proc/nothing
mkdir "$work/mine" && touch "$work/mine/letter"
expect "something that is no report has that name" call --seconds 2 --video testcard --report "$work/mine"
[ -e "$work/mine/letter" ] || { echo "FAILED: a folder that is no report was touched"; failures=$((failures + 1)); }

touch "$work/noise.mp4.webm"
# The client side of WHIP and WHEP; a whole stream is in whip-whep.py
expect "'nonsense' is no address" publish testcard nonsense
expect "no address of http or https" publish testcard ftp://host/whip/a
expect "cannot be reached: nobody answers there" publish testcard http://127.0.0.1:1/whip/a
expect "the token holds characters" publish testcard http://127.0.0.1:1/whip/a --token "a b"
expect "$work/missing.mp4 cannot be read: No such file or directory" publish "$work/missing.mp4" http://127.0.0.1:1/whip/a
expect "$work/noise.mp4 cannot be read: " publish "$work/noise.mp4" http://127.0.0.1:1/whip/a
expect "a stream lasts from 1 to" play http://127.0.0.1:1/whep/a out.webm --seconds 0
expect "should end in .webm" play http://127.0.0.1:1/whep/a out.mp4
expect "/nowhere/out.webm cannot be written" play http://127.0.0.1:1/whep/a /nowhere/out.webm
expect "cannot be reached: nobody answers there" play http://127.0.0.1:1/whep/a out.webm
expect "exists already; --force replaces it" play http://127.0.0.1:1/whep/a "$work/noise.mp4.webm"

if [ "$failures" -ne 0 ]; then
    echo "$failures checks of the command line failed"
    exit 1
fi
echo "petrel: all checks of its errors passed"
