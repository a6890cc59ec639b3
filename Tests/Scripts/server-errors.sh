#!/usr/bin/env bash
# What petrel-server says and does: one line on standard output, exit code 0 when it is stopped, and where it is used
# wrongly one sentence and another exit code. Usage: Tests/Scripts/server-errors.sh PROGRAM
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(realpath "${1:-$root/.build/debug/petrel-server}")
work=$(mktemp -d)
children=()
trap 'for child in ${children[@]+"${children[@]}"}; do kill "$child" 2>/dev/null || true; done; rm -rf "$work"' EXIT
failures=0

fail() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

# expect TEXT ARGUMENT...: the program fails with one line on standard error that holds the text, and nothing elsewhere
expect() {
    local text="$1" code=0
    shift
    PETREL_ASSETS="$work/assets" timeout 60 "$program" --log error "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    if [ "$code" -eq 0 ] || [ "$code" -ge 124 ] || [ "$(wc -l <"$work/err")" -ne 1 ] || [ -s "$work/out" ] \
        || ! grep -qF -- "$text" "$work/err"; then
        fail "petrel-server $*: expected one line with '$text', got $code: $(cat "$work/out" "$work/err")"
    fi
}

# begin ARGUMENT...: starts the program and waits for its address; sets `server` and `address`
begin() {
    "$program" --log error --video testcard --audio builtin --port 0 "$@" >"$work/out" 2>"$work/err" </dev/null &
    server=$!
    children+=("$server")
    for _ in $(seq 100); do [ -s "$work/out" ] && break || sleep 0.1; done
    address=$(cat "$work/out")
}

# get URL: the body; with the Python of the machine, which has to be there for other checks too
get() { python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())' "$1"; }

mkdir "$work/assets"
head -c 20000 /dev/urandom >"$work/noise.pem"

expect "Unknown option '--bogus'" --bogus
expect "--port 70000: 0 to 65535 are possible" --port 70000
expect "--cert and --key come together" --cert "$work/noise.pem"
expect "the certificate $work/noise.pem cannot be read" --port 0 --video testcard --audio builtin --cert "$work/noise.pem" --key "$work/noise.pem"
expect "the certificate /nowhere/a.pem cannot be read" --port 0 --video testcard --audio builtin --cert /nowhere/a.pem --key /nowhere/b.pem
expect "--link: " --port 0 --link delai=5
expect "column 10: unknown setting 'los'" --port 0 --link delay=20,los=5
expect "--max-peers 0: 1 to 1000 are possible" --max-peers 0
expect "--udp-ports 9-5: a port such as 50000" --udp-ports 9-5
expect "--udp-ports 0: a port such as 50000" --udp-ports 0
expect "name a range" --port 0 --video testcard --audio builtin --udp-ports 50000 --link delay=5
expect "--ice-server http://a" --ice-server http://a
# No password of a mistyped server is written anywhere.
for wrong in 'turn:a;user;canary pass' 'turn;user;canary' 'turn:a;canary' 'turn:a;user;canary;more' 'trun:a;user;canary"'; do
    expect "--ice-server ${wrong%%;*}: stun:HOST" --ice-server "$wrong"
    if grep -q canary "$work/err" "$work/out"; then fail "the password of --ice-server is written: $(cat "$work/err")"; fi
done
expect "/nowhere/film.mp4 cannot be read" --port 0 --video /nowhere/film.mp4
expect "/nowhere/speech.mp3 cannot be read" --port 0 --video testcard --audio /nowhere/speech.mp3
expect "a token is made of" --port 0 --video testcard --audio builtin --token "a b"
expect "cannot serve at 192.0.2.1" --port 0 --video testcard --audio builtin --host 192.0.2.1

begin
[[ "$address" =~ ^http://127\.0\.0\.1:[0-9]+/$ ]] || fail "the address is '$address'"
get "$address" | grep -i '<!doctype html>' >/dev/null || fail "no page at $address"
get "${address}status" | grep '"peers": 0' >/dev/null || fail "no status at $address"
port=$(sed -n 's|.*:\([0-9]*\)/|\1|p' <<<"$address")
expect "another program serves at 127.0.0.1, port $port already" --port "$port" --video testcard --audio builtin
for signal in INT TERM; do
    [ "$signal" = INT ] || begin
    kill -"$signal" "$server"
    code=0
    wait "$server" || code=$?
    [ "$code" -eq 0 ] || fail "after SIG$signal the exit code is $code"
done
begin --link wifi-bad
get "${address}link" | grep '"delay": 15' >/dev/null || fail "no link at $address"
kill -INT "$server" && wait "$server" || fail "the server with a link does not end"
[ "$(wc -l <"$work/out")" -eq 1 ] || fail "standard output has more than the address"
[ -s "$work/err" ] && fail "standard error has: $(cat "$work/err")"

if [ "$failures" -ne 0 ]; then
    echo "$failures checks of petrel-server failed"
    exit 1
fi
echo "petrel-server says what it should"
