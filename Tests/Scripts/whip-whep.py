#!/usr/bin/env python3
"""petrel publish and petrel play against petrel-server: what arrives, over HTTP and HTTPS, with a token, when the server
vanishes, and when it ends. Usage: whip-whep.py [PETREL] [PETREL-SERVER]"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
arguments = sys.argv[1:] + [None] * 2
petrel = os.path.abspath(arguments[0] or root + "/.build/debug/petrel")
petrel_server = os.path.abspath(arguments[1] or root + "/.build/debug/petrel-server")
failures = []
processes = []
# Sizes small enough for a debug build on a busy machine.
WIDTH, HEIGHT, RATE = 320, 240, 25


def check(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED: " + text, flush=True)


def start(command, **options):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    processes.append(process)
    return process


def serve(folder, *more):
    """A server of its own; answers the process and its address."""
    log = open(folder + "/server.log", "ab")
    process = start(
        [petrel_server, "--port", "0", "--log", "error", "--video", "testcard", "--audio", "builtin", *more],
        stdout=subprocess.PIPE, stderr=log)
    address = process.stdout.readline().decode().strip()
    if not address:
        sys.exit("petrel-server does not start: " + open(folder + "/server.log").read())
    return process, address


def run(*command, seconds=60, **options):
    """Runs petrel to its end: exit code, standard error."""
    result = subprocess.run(
        [petrel, *command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=options.pop("stdout", subprocess.PIPE),
        timeout=seconds, **options)
    return result.returncode, result.stderr.decode(), result.stdout


def probe(path):
    text = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-of", "json", "-show_entries",
         "stream=codec_name,codec_type,width,height,channels,nb_read_packets:format=duration", path],
        capture_output=True, check=True).stdout
    data = json.loads(text)
    streams = {stream["codec_type"]: stream for stream in data["streams"]}
    return streams, float(data["format"].get("duration", 0))


def stamps(path):
    """The frame counters in the pictures of a film: docs/use.md, the stamp in the picture."""
    size = WIDTH * HEIGHT
    data = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        capture_output=True, check=True).stdout
    found = []
    row = HEIGHT // 15 // 2
    for offset in range(0, len(data) - size + 1, size):
        blocks = [data[offset + row * WIDTH + (2 * block + 1) * WIDTH // 48] for block in range(24)]
        threshold = (min(blocks) + max(blocks)) / 2
        bits = [1 if value > threshold else 0 for value in blocks]
        number, inverse = bits[2:12], bits[12:22]
        good = bits[:2] == [1, 0] and bits[22:] == [0, 1] and all(a != b for a, b in zip(number, inverse))
        found.append(int("".join(map(str, number)), 2) if good and max(blocks) - min(blocks) > 60 else -1)
    return found


def samples(path, rate=8000):
    data = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-ac", "1", "-ar", str(rate), "-f", "s16le", "-"],
        capture_output=True, check=True).stdout
    return memoryview(data[: len(data) // 2 * 2]).cast("h")


def share_at(values, frequency, rate=8000):
    """The share of the energy that one tone has: 1 for nothing else."""
    import math
    count = len(values) // rate * rate
    if count == 0:
        return 0
    real = imaginary = energy = 0.0
    # Over pieces of 20 ms, so that a slipped sample does not matter.
    total = 0.0
    for begin in range(0, count, rate // 50):
        real = imaginary = 0.0
        for index in range(begin, begin + rate // 50):
            real += values[index] * math.cos(2 * math.pi * frequency * index / rate)
            imaginary += values[index] * math.sin(2 * math.pi * frequency * index / rate)
            energy += values[index] ** 2
        total += 2 * (real ** 2 + imaginary ** 2) / (rate // 50)
    return total / energy if energy else 0


def film(path, seconds=3):
    """A film with a tone of 440 Hz."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={WIDTH}x{HEIGHT}:r={RATE}:d={seconds}", "-f",
         "lavfi", "-i", f"sine=f=440:d={seconds}:r=48000", "-af", "volume=10dB", "-c:v", "libx264", "-preset", "veryfast",
         "-c:a", "aac", path], check=True)


def through(folder, name, address, *options, environment=None):
    """Publishes a film that begins anew several times, plays it, and looks at what came."""
    source, out = folder + "/film.mp4", f"{folder}/{name}.webm"
    publisher = start(
        [petrel, "publish", source, f"{address}whip/{name}", "--stamp", "--seconds", "16", *options],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)
    time.sleep(3)
    code, said, _ = run("play", f"{address}whep/{name}", out, "--seconds", "8", *options, env=environment)
    check(code == 0, f"{name}: play ends with {code}: {said}")
    said_by_publisher = publisher.communicate(timeout=60)[1].decode()
    check(publisher.returncode == 0, f"{name}: publish ends with {publisher.returncode}: {said_by_publisher}")
    check(re.search(rf"sending \d+ of 16 s  {WIDTH}x{HEIGHT}  [\d.]+ fps  \d+ kbit/s  loss [\d.]+ %  round trip [\d.]+ ms",
                    said_by_publisher), f"{name}: no live line: {said_by_publisher}")
    check("receiving" in said, f"{name}: no live line: {said}")
    if code != 0:
        return
    streams, duration = probe(out)
    video, audio = streams.get("video", {}), streams.get("audio", {})
    check(video.get("codec_name") == "vp8" and (video.get("width"), video.get("height")) == (WIDTH, HEIGHT),
          f"{name}: video {video}")
    check(audio.get("codec_name") == "opus", f"{name}: audio {audio}")
    check(6 < duration < 10, f"{name}: {duration} s long")
    seen = stamps(out)
    good = [stamp for stamp in seen if stamp >= 0]
    check(len(seen) >= 5 * RATE, f"{name}: {len(seen)} pictures")
    check(len(good) >= 0.9 * len(seen), f"{name}: {len(good)} of {len(seen)} stamps can be read")
    steps = [(b - a) % 1024 for a, b in zip(good, good[1:])]
    check(all(step < 512 for step in steps), f"{name}: pictures go back: {good}")
    check(len(set(good)) >= 5 * RATE, f"{name}: {len(set(good))} different pictures")
    heard = samples(out)
    check(len(heard) >= 5 * 8000, f"{name}: {len(heard) / 8000} s of sound")
    share = share_at(heard[8000:], 440)
    check(share > 0.8, f"{name}: the tone has {share:.2f} of the sound")
    print(f"{name}: {len(seen)} pictures, {len(set(good))} different stamps, {len(heard) / 8000:.1f} s of sound, "
          f"{100 * share:.0f} % of it the tone, file of {duration:.1f} s", flush=True)


def errors(folder, address):
    """What is not there, and what is in the way."""
    cases = [
        (["play", f"{address}whep/nobody", f"{folder}/x.webm"], "(404)"),
        (["play", f"{address}nothing/here", f"{folder}/x.webm"], "(404)"),
        (["publish", "testcard", f"{address}whip/film"], "(409)"),
        (["publish", "testcard", f"{address}whep/film"], "(422)"),
        (["play", f"https{address[4:]}whep/film", f"{folder}/x.webm"], "speaks no TLS"),
    ]
    for command, text in cases:
        code, said, _ = run(*command)
        check(code not in (0, 139) and said.count("\n") == 1 and text in said, f"{command}: {code}, {said}")
    check(not os.path.exists(folder + "/x.webm"), "a file is left of a stream that never was")
    code, _, data = run("play", f"{address}whep/film", "-", "--seconds", "4")
    with open(folder + "/piped.webm", "wb") as file:
        file.write(data)
    check(code == 0 and "video" in probe(folder + "/piped.webm")[0], "nothing playable on standard output")
    old = folder + "/old.webm"
    open(old, "w").write("old")
    code, said, _ = run("play", f"{address}whep/film", old)
    check(code == 1 and "--force" in said and open(old).read() == "old", f"an old file: {code}, {said}")
    code, said, _ = run("play", f"{address}whep/film", old, "--seconds", "3", "--force")
    check(code == 0 and "video" in probe(old)[0], f"--force: {code}, {said}")


def tokens(folder):
    server, address = serve(folder, "--token", "right-Token.1")
    secret = dict(os.environ, PETREL_TOKEN="right-Token.1")
    code, said, _ = run("publish", "testcard", f"{address}whip/a", "--seconds", "2")
    check(code == 1 and "wants a token (401)" in said, f"without a token: {code}, {said}")
    code, said, _ = run("publish", "testcard", f"{address}whip/a", "--seconds", "2", "--token", "wrong-Token.1")
    check(code == 1 and "does not accept the token (401)" in said and "wrong" not in said, f"wrong token: {code}, {said}")
    code, said, _ = run("play", f"{address}whep/film", folder + "/token.webm", "--seconds", "2", env=secret)
    check(code == 0, f"with the token: {code}, {said}")
    server.send_signal(signal.SIGINT)
    server.wait(timeout=20)


def secure(folder):
    """HTTPS: a certificate of our own is refused, and taken once the system trusts it."""
    cert, key = folder + "/cert.pem", folder + "/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    server, address = serve(folder, "--cert", cert, "--key", key)
    address = address.replace("http://", "https://")
    code, said, _ = run("play", f"{address}whep/film", folder + "/secure.webm", "--seconds", "3")
    check(code == 1 and "cannot be trusted" in said and said.count("\n") == 1, f"self-signed: {code}, {said}")
    # The system's certificates as this one process sees them, in a mount namespace of its own.
    system = "/etc/ssl/certs/ca-certificates.crt"
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    possible = os.path.exists(system) and subprocess.run([*namespace, "true"], capture_output=True).returncode == 0
    if possible:
        script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        command = [*namespace, "sh", "-c", script, "sh", cert, system, petrel, "play", f"{address}whep/film",
                   folder + "/secure.webm", "--seconds", "3"]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        check(result.returncode == 0, f"trusted certificate: {result.returncode}, {result.stderr.decode()}")
        if result.returncode == 0:
            check("video" in probe(folder + "/secure.webm")[0], "nothing came over HTTPS")
        # The same certificate at an address that it does not name: a server is there, and must not be believed.
        other, place = serve(folder, "--cert", cert, "--key", key, "--host", "127.0.0.2")
        check(place.startswith("https://127.0.0.2:"), f"the other server is at {place}")
        result = subprocess.run([*command[:8], petrel, "play", f"{place}whep/film", folder + "/other.webm"],
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        said = result.stderr.decode()
        check(result.returncode == 1 and "cannot be trusted" in said and said.count("\n") == 1,
              f"the name of another host is taken: {result.returncode}, {said}")
        check(not os.path.exists(folder + "/other.webm"), "a file is left of a server that is not believed")
        other.send_signal(signal.SIGINT)
        check(other.wait(timeout=20) == 0, "the server at 127.0.0.2 does not end in good order")
    else:
        print("skipped: HTTPS with a trusted certificate, because this machine allows no mount namespace")
        check(os.environ.get("CI") != "true", "in CI nothing may be left out")
    server.send_signal(signal.SIGINT)
    server.wait(timeout=20)


def interrupted(folder, address):
    """Ctrl-C ends the stream on the server too, and completes the file."""
    publisher = start([petrel, "publish", "testcard", f"{address}whip/short", "--size", "320x240"],
                      stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    time.sleep(4)
    player = start([petrel, "play", f"{address}whep/short", folder + "/short.webm"], stderr=subprocess.PIPE)
    time.sleep(5)
    player.send_signal(signal.SIGINT)
    said = player.communicate(timeout=20)[1].decode()
    check(player.returncode == 0, f"interrupted play: {player.returncode}, {said}")
    check("video" in probe(folder + "/short.webm")[0], "the file of an interrupted play is not whole")
    # The stream ends with its publisher: who plays it without --seconds has all there was.
    player = start([petrel, "play", f"{address}whep/short", folder + "/end.webm"], stderr=subprocess.PIPE)
    time.sleep(4)
    publisher.send_signal(signal.SIGINT)
    check(publisher.wait(timeout=20) == 0, "interrupted publish")
    publisher.stderr.close()
    try:
        said = player.communicate(timeout=30)[1].decode()
        print("the stream ended:", said.strip().splitlines()[-1], flush=True)
    except subprocess.TimeoutExpired:
        player.send_signal(signal.SIGINT)
        said = player.communicate(timeout=20)[1].decode()
    check("video" in probe(folder + "/end.webm")[0], f"the file of a stream that ended is not whole: {said}")
    code, said, _ = run("play", f"{address}whep/short", folder + "/gone.webm")
    check(code == 1 and "(404)" in said, f"the stream is still there: {code}, {said}")


def vanished(folder):
    """The server is killed in mid-call: one sentence, an exit code, and what came is kept."""
    server, address = serve(folder)
    publisher = start([petrel, "publish", "testcard", f"{address}whip/me", "--size", "320x240"], stderr=subprocess.PIPE,
                      stdout=subprocess.DEVNULL)
    player = start([petrel, "play", f"{address}whep/film", folder + "/kept.webm"], stderr=subprocess.PIPE)
    time.sleep(6)
    server.kill()
    began = time.time()
    for name, process in (("publish", publisher), ("play", player)):
        try:
            said = process.communicate(timeout=60)[1].decode()
            last = said.strip().splitlines()[-1]
            check(process.returncode == 1 and last.startswith("petrel: the stream was lost"), f"{name}: {process.returncode}, {said}")
            print(f"{name}, {time.time() - began:.0f} s after the server was killed: {last}", flush=True)
        except subprocess.TimeoutExpired:
            check(False, f"{name} goes on without a server")
    check("video" in probe(folder + "/kept.webm")[0], "what came before the server vanished is lost")


def main():
    folder = tempfile.mkdtemp(prefix="petrel-whip-")
    try:
        film(folder + "/film.mp4")
        server, address = serve(folder)
        through(folder, "film1", address)
        errors(folder, address)
        interrupted(folder, address)
        server.send_signal(signal.SIGINT)
        check(server.wait(timeout=20) == 0, "the server does not end in good order")
        tokens(folder)
        secure(folder)
        vanished(folder)
        left = [name for name in os.listdir(folder) if name.startswith(".")]
        check(not left, f"half-written files are left: {left}")
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    if failures:
        sys.exit(f"{len(failures)} checks of petrel publish and petrel play failed")
    print("petrel publish, petrel play: all checks passed")


main()
