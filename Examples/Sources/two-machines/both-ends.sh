#!/usr/bin/env bash
# Runs both ends of two-machines on this machine: both-ends.sh PROGRAM [SECONDS]
# Exit code 0 only if both ends say that pictures and sound arrived.
set -euo pipefail
program="${1:?both-ends.sh PROGRAM [SECONDS]}" seconds="${2:-5}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

"$program" offer "$folder/offer.sdp" "$folder/answer.sdp" "$seconds" --lab >"$folder/offer.log" 2>&1 & offerer=$!
status=0
"$program" answer "$folder/offer.sdp" "$folder/answer.sdp" "$seconds" --lab >"$folder/answer.log" 2>&1 || status=$?
# Where the answering end has failed, the other would wait for its file in vain.
[ "$status" -eq 0 ] || kill "$offerer" 2>/dev/null || true
wait "$offerer" || status=$?
sed 's/^/offer:  /' "$folder/offer.log"
sed 's/^/answer: /' "$folder/answer.log"
exit "$status"
