#!/usr/bin/env bash
# Builds the documentation of Petrel and PetrelLab into .build/docs. A warning is an error.
#
#   Scripts/docs.sh [TARGET...]
#
# PETREL_DOCS makes Package.swift ask for the plugin, which users of the package never fetch. The build has a folder of
# its own, .build-docs, so that it does not disturb another one.
set -euo pipefail
cd "$(dirname "$0")/.."
export PETREL_DOCS=1

build="${BUILD:-.build}"
[ $# -gt 0 ] || set -- Petrel PetrelLab
mkdir -p "$build/docs"
for target in "$@"; do
    archive="$build/docs/$target.doccarchive"
    rm -rf "$archive"
    swift package --scratch-path "$build-docs" --allow-writing-to-directory "$build/docs" \
        generate-documentation --target "$target" --warnings-as-errors --output-path "$archive" \
        --transform-for-static-hosting --hosting-base-path "$target"
    # The plugin has been seen to fail with exit code 0: what counts is that there is a result.
    if [ ! -f "$archive/index.html" ]; then
        echo "docs: $target was not built" >&2
        exit 1
    fi
    echo "docs: $target is in $archive" >&2
done
