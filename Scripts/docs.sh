#!/usr/bin/env bash
# Builds the documentation of Petrel and PetrelLab with the toolchain's docc, without a package plug-in, so that nobody
# who uses the package has to resolve one. A warning is an error. The result: .build/docs/<module>.
#
#   Scripts/docs.sh [MODULE...]
set -euo pipefail
cd "$(dirname "$0")/.."
modules=("$@")
[ "${#modules[@]}" -gt 0 ] || modules=(Petrel PetrelLab)
scratch=".build-docs" out=".build/docs"

if ! command -v docc >/dev/null 2>&1; then
    echo "docs: docc, a part of the Swift toolchain, is not in PATH" >&2
    exit 1
fi
mkdir -p "$out"
for module in "${modules[@]}"; do
    graphs="$scratch/graphs/$module"
    rm -rf "$graphs" && mkdir -p "$graphs"
    # An own scratch path: the flags would otherwise rebuild everything of the usual one.
    swift build --target "$module" --scratch-path "$scratch" \
        -Xswiftc -emit-symbol-graph -Xswiftc -emit-symbol-graph-dir -Xswiftc "$PWD/$graphs" >"$scratch/$module.log" 2>&1 \
        || { cat "$scratch/$module.log" >&2; exit 1; }
    # The symbols of this module, and what it adds to others; not those of its dependencies.
    find "$graphs" -type f ! -name "$module.symbols.json" ! -name "$module@*.symbols.json" -delete
    catalogue="Sources/$module/$module.docc"
    arguments=(convert)
    if [ -d "$catalogue" ]; then arguments+=("$catalogue"); fi
    docc "${arguments[@]}" --fallback-display-name "$module" --fallback-bundle-identifier "petrel.$module" \
        --additional-symbol-graph-dir "$graphs" --warnings-as-errors --output-path "$out/$module" \
        --transform-for-static-hosting --hosting-base-path "$module"
    echo "docs: $out/$module" >&2
done
