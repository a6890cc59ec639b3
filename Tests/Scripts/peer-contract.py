#!/usr/bin/env python3
"""Drives two `petrel peer --stdio` processes as any program would, and checks what docs/use.md promises of the
scriptable peer: messages, files, and that a misunderstood line is answered and forgiven.
Usage: Tests/Scripts/peer-contract.py PROGRAM"""
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from queue import Empty, Queue

program = os.path.realpath(sys.argv[1])
work = tempfile.mkdtemp(prefix="petrel-peer-")
failures = []


def check(holds, what):
    if not holds:
        failures.append(what)


class Peer:
    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen(
            [program, "peer", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.messages = Queue()
        self.candidates = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            message = json.loads(line)  # Every line of standard output is one JSON object.
            if message["type"] == "candidate":
                self.candidates.append(message)
            else:
                self.messages.put(message)

    def send(self, **message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def wait(self, kind, seconds=30):
        deadline = time.time() + seconds
        while time.time() < deadline:
            try:
                message = self.messages.get(timeout=0.5)
            except Empty:
                continue
            if message["type"] == kind:
                return message
        raise SystemExit(f"{self.name}: no '{kind}' within {seconds} s")

    def folder(self):
        return os.path.join(work, self.name)


offerer, answerer = Peer("offerer"), Peer("answerer")
for peer in (offerer, answerer):
    peer.send(type="nonsense")
    check("nonsense" in peer.wait("error")["message"], f"{peer.name}: an unknown message is named in the error")
    peer.process.stdin.write("{half a line\n")
    peer.wait("error")
    peer.send(type="createOffer")
    check("config" in peer.wait("error")["message"], f"{peer.name}: the order of messages is explained")
    peer.send(type="config", out=peer.folder(), w=320, h=180, fps=25, sendVideo=True, recvVideo=True, maxKbps=500)
    peer.wait("ready")
offerer.send(type="createOffer")
offer = offerer.wait("offer")
answerer.send(type="offer", sdp=offer["sdp"])
answer = answerer.wait("answer")
offerer.send(type="answer", sdp=answer["sdp"])
for peer, sdp in ((offerer, offer["sdp"]), (answerer, answer["sdp"])):
    # Loopback only where there is no other address.
    lines = [line for line in sdp.splitlines() if line.startswith("a=candidate:")]
    lines += [(candidate["candidate"] or {}).get("candidate", "") for candidate in list(peer.candidates)]
    hosts = {line.split()[4] for line in lines if len(line.split()) > 4}
    loopback = {host for host in hosts if host.startswith("127.") or host == "::1"}
    check(hosts and (not loopback or loopback == hosts), f"{peer.name}: candidates at {hosts}")
for other, peer in ((offerer, answerer), (answerer, offerer)):
    for candidate in list(other.candidates):
        peer.send(type="candidate", candidate=candidate["candidate"])
for peer in (offerer, answerer):
    message = peer.wait("conn")
    check(message["state"] == "connected", f"{peer.name}: connected, not {message}")
    check(abs(message.get("t", 0) - time.time() * 1000) < 60_000, f"{peer.name}: t is wall time in milliseconds")
time.sleep(6)
for peer in (offerer, answerer):
    peer.send(type="finish")
for peer in (offerer, answerer):
    peer.wait("done")
    peer.process.stdin.close()
    check(peer.process.wait(timeout=20) == 0, f"{peer.name}: ends with exit code 0")

for peer in (offerer, answerer):
    def path(name):
        return os.path.join(peer.folder(), name)

    def rows(name):
        with open(path(name)) as file:
            return [[float(value) for value in line.split(",")] for line in file]

    sent, received = rows("sent_video.csv"), rows("recv_video.csv")
    check(len(sent) > 75, f"{peer.name}: {len(sent)} pictures sent in 6 s at 25 a second")
    check(len(received) > 75, f"{peer.name}: {len(received)} pictures received in 6 s at 25 a second")
    check(all(len(row) == 4 for row in sent + received), f"{peer.name}: wall, counter, width, height")
    stamps = [row[1] for row in received]
    check(sum(stamp >= 0 for stamp in stamps) > 0.99 * len(stamps), f"{peer.name}: stamps can be read")
    check(stamps == sorted(stamps), f"{peer.name}: counters go up")
    check(all(row[2:] == [320, 180] for row in received), f"{peer.name}: the size is that of the sender")
    heard = os.path.getsize(path("recv_audio.s16")) / 2 / 48000
    check(4 < heard < 9, f"{peer.name}: {heard:.1f} s of sound in 6 s")
    with open(path("recv_audio.s16"), "rb") as file:
        samples = memoryview(file.read()).cast("h")
    check(max(abs(sample) for sample in samples) > 1000, f"{peer.name}: the sound is audible")
    check(len(rows("recv_audio.csv")) > 30, f"{peer.name}: a row of sound about every 100 ms")
    check(any(name.startswith("shot_") and name.endswith("_320x180.y") for name in os.listdir(peer.folder())),
          f"{peer.name}: a shot every 2 s")
    with open(path("events.json")) as file:
        events = json.load(file)
    check(all(events.get(key) for key in ("ice_connected", "conn_connected", "firstAudioPkt", "firstVideoPkt")),
          f"{peer.name}: all events have a time: {events}")
    with open(path("stats.json")) as file:
        statistics = json.load(file)
    check(len(statistics) >= 4 and any(entry["type"] == "inbound-rtp" for entry in statistics[-1]["r"]),
          f"{peer.name}: W3C statistics once a second")

# What no sensible script sends: each line is answered or passed over, the peer goes on, and it ends well.
good = {"type": "config", "out": os.path.join(work, "bad"), "w": 320, "h": 180, "fps": 25}


def line(**message):
    return json.dumps(message).encode() + b"\n"


def config(**changes):
    return line(**{**good, **changes})


def talk(data, close_output=False):
    """Runs a peer on that input and nothing more. Returns its exit code and what it said."""
    process = subprocess.Popen([program, "peer", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout), daemon=True)
    if close_output:
        process.stdout.close()
    else:
        reader.start()
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass
    try:
        code = process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        code = "no end"
    if not close_output:
        reader.join(10)
    return code, [json.loads(text) for text in said]


def errors(said):
    return [message["message"] for message in said if message["type"] == "error"]


# Each with the number of errors that it must get; None: it may be taken or refused.
bad_input = {
    "nothing": (b"", 0),
    "blank lines": (b"\n  \n\r\n", 0),
    "half a line": (b'{"type":"conf', 1),
    "invalid UTF-8": (b'\xff\xfe{"type":"config"}\x80\n', 1),
    "zero octets": (b"\0\0\0\n", 1),
    "a line of 8 MB": (b"x" * 8_000_000 + b"\n", 1),
    "8 MB without an end": (b"x" * 8_000_000, 1),
    "half a million brackets": (b"[" * 500_000 + b"\n", 1),
    "no objects": (b'[]\n5\nnull\n"config"\n', 4),
    "types of other kinds": (b'{"type":5}\n{"type":null}\n{"type":{"type":"config"}}\n{}\n', 4),
    "control characters in a type": (line(type="no\r\nsuch\x1b[31m"), 1),
    "everything before config": (
        line(type="createOffer") + line(type="offer", sdp="v=0") + line(type="answer", sdp="v=0")
        + line(type="candidate", candidate={"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"}), 4),
    "a width of 1e300": (config(w=1e300), 1),
    "a width below zero": (config(w=-5), 1),
    "1e300 pictures a second": (config(fps=1e300), 1),
    "a rate of 9e18": (config(maxKbps=9e18), 1),
    "a rate below zero": (config(maxKbps=-3), 1),
    "a film that is not there": (config(video="/nonexistent/film"), 1),
    "fields of other kinds": (config(out=5, w="wide", sendVideo="maybe", audio=[]), None),
    "config twice": (config() + config(), 1),
    "descriptions that are none": (
        config() + line(type="offer") + line(type="offer", sdp="v=0") + line(type="offer", sdp="\0" * 1000)
        + line(type="offer", sdp=5) + line(type="answer", sdp="x"), 5),
    "a description of 600 kB": (config() + line(type="offer", sdp="v=0\r\n" + "a=x\r\n" * 120_000), 1),
    "candidates that are none": (
        config() + line(type="candidate") + line(type="candidate", candidate=5)
        + line(type="candidate", candidate={"candidate": "x" * 100_000, "sdpMLineIndex": 1e300})
        + line(type="candidate", candidate={"candidate": "candidate:1 1 udp 1 h.local 9 typ host",
                                            "sdpMLineIndex": -1}), None),
    "an answer to no offer": (config() + line(type="createOffer") + line(type="answer", sdp="v=0\r\n"), 1),
    "finish before config": (line(type="finish"), 0),
    "more after finish": (config() + line(type="finish") + line(type="createOffer") * 1000, 0),
    "2,000 messages at once": (b'{"type":"nonsense"}\n' * 2000, 2000),
}
for name, (data, expected) in bad_input.items():
    code, said = talk(data)
    complaints = errors(said)
    check(code == 0, f"{name}: the peer ends with {code}")
    check(expected is None or len(complaints) == expected, f"{name}: {expected} errors, not {complaints[:6]}")
    check(all("\n" not in text and "\x1b" not in text for text in complaints), f"{name}: nothing breaks out of a line")
    # Whatever it was, a message after it is understood: unless the line had no end, or the peer had its last word.
    if data.endswith(b"\n") and "finish" not in name:
        code, said = talk(data + line(type="nonsense"))
        check(code == 0 and any("nonsense" in text for text in errors(said)[-1:]), f"{name}: the peer goes on")
code, _ = talk(config() + line(type="createOffer") * 50, close_output=True)
check(code == 0, f"nobody listens: the peer ends with {code}")

for failure in failures:
    print("FAILED:", failure)
if failures:
    sys.exit(1)
subprocess.run(["rm", "-rf", work], check=True)
print("petrel peer: all checks of the contract passed")
