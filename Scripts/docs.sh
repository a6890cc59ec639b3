#!/usr/bin/env bash
# Builds the documentation of Petrel and PetrelLab into .build/docs. A warning is an error.
#
#   Scripts/docs.sh [TARGET...]
#
# PETREL_DOCS makes Package.swift ask for the plugin, which users of the package never fetch. The build has a folder of
# its own, so that it does not disturb another one.
set -euo pipefail
cd "$(dirname "$0")/.."
export PETREL_DOCS=1

scratch="${BUILD:-.build}-docs"
[ $# -gt 0 ] || set -- Petrel PetrelLab
for target in "$@"; do
    mkdir -p "$scratch/docs"
    swift package --scratch-path "$scratch" --allow-writing-to-directory "$scratch/docs" \
        generate-documentation --target "$target" --warnings-as-errors \
        --output-path "$scratch/docs/$target.doccarchive" --transform-for-static-hosting --hosting-base-path "$target"
    echo "$target: $scratch/docs/$target.doccarchive" >&2
done
