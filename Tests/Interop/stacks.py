"""The cases with aiortc and with GStreamer's webrtcbin: each as offerer and as answerer, pictures and sound both ways.

Their peers (aiortc_peer.py, gstreamer.py) take the messages of `petrel peer --stdio` and write its files, so one driver
and one measure serve both ends. Candidates trickle in both directions as they come.
"""
import os
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import checks
from matrix import HERE, ROOT, Result
from petrel_peer import PeerError, PetrelPeer

ASSETS = os.path.join(ROOT, ".assets")
# Judged time of a call, in seconds, and the time in which senders find their rate before it.
SECONDS, RAMP = 12, 2
# Sound is compared in windows of so many seconds: short enough that speech which a jitter buffer has played a little
# faster or slower is still the same wave within one.
WINDOW = 0.3
# A stack that has stood still for a moment shows it in the delay, not in the count: both run on what is left of the
# machine by their own encoders and decoders.
LIMITS = checks.Limits()


class Stack:
    """Another stack: how its peer is started, and what it is called."""

    def __init__(self, name, command, width=1280, height=720):
        self.name, self.command = name, command
        self.width, self.height = width, height

    def version(self):
        """What it says of itself; None where it cannot be run."""
        try:
            ended = subprocess.run(self.command + ["--version"], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return ended.stdout.strip() if ended.returncode == 0 else None


def interpreter_with(module, *candidates):
    """The first of the Python interpreters that can import a module."""
    for candidate in candidates:
        try:
            if subprocess.run([candidate, "-c", f"import {module}"], capture_output=True, timeout=60).returncode == 0:
                return candidate
        except (OSError, subprocess.TimeoutExpired):
            continue
    return candidates[0]


def stacks():
    # The bindings of GStreamer belong to the system's own Python, which need not be the one that runs this.
    gstreamer = interpreter_with("gi", "/usr/bin/python3", sys.executable)
    return [
        Stack("aiortc", [sys.executable, os.path.join(HERE, "aiortc_peer.py")]),
        Stack("GStreamer webrtcbin", [gstreamer, os.path.join(HERE, "gstreamer.py")]),
    ]


def call(stack, role, program, folder, seconds=SECONDS, film=None):
    """One call with another stack in `role`. Returns its Result."""
    began = time.monotonic()
    result = Result(stack.name, stack.version() or "missing", role)
    try:
        if result.version == "missing":
            raise PeerError(f"{stack.name} is not installed: run Scripts/setup.sh test")
        petrel = PetrelPeer(program, os.path.join(folder, "petrel"))
        with petrel, PetrelPeer(program, os.path.join(folder, "other"), name=stack.name,
                                command=stack.command) as other:
            offerer, answerer = (other, petrel) if role == "offerer" else (petrel, other)
            for peer in (petrel, other):
                peer.configure(
                    video=film or os.path.join(ASSETS, "bigbuckbunny.mp4"), audio=os.path.join(ASSETS, "speech.wav"),
                    width=stack.width, height=stack.height)
            # Candidates of an offerer may come before its offer has been applied at the other side: they wait for it.
            offer = offerer.create_offer()
            answer = answerer.answer(offer)
            offerer.accept(answer)
            trickle(offerer, answerer)
            trickle(answerer, offerer)
            connected = max(petrel.wait_connected(), other.wait_connected())
            time.sleep(RAMP + seconds)
            ended = time.time() * 1000
            for peer in (petrel, other):
                if peer.errors:
                    raise PeerError(f"{peer.name}: {peer.errors[0]}")
            # Both at once: who hangs up first would cut the other's last seconds.
            with ThreadPoolExecutor() as pool:
                for done in [pool.submit(peer.finish) for peer in (petrel, other)]:
                    done.result()
            judge(result, petrel.out, other.out, connected + RAMP * 1000, ended, seconds, stack)
    except (PeerError, OSError, ValueError, KeyError) as error:
        result.failures.append(str(error) or traceback.format_exc(limit=1))
    result.seconds = round(time.monotonic() - began, 1)
    return result


def trickle(source, sink):
    """Hands the candidates of one peer to another, those of before first."""
    source.on_candidate = sink.add_candidate
    for candidate in list(source.candidates):
        sink.add_candidate(candidate)


def judge(result, petrel, other, since, until, seconds, stack):
    ours, theirs = checks.load_peer(petrel), checks.load_peer(other)
    limits = checks.Limits(**{**LIMITS.__dict__, "minimum_seconds": min(LIMITS.minimum_seconds, seconds - 1)})
    for name, report, source, sink in (
            ("to Petrel", result.to_petrel, theirs, ours), ("from Petrel", result.from_petrel, ours, theirs)):
        report["video"] = checks.video_report(source.sent_video, sink.received_video, since=since, until=until)
        report["audio"] = checks.audio_report(source.sent_sound, sink.received_sound, since=since, until=until,
                                              window=WINDOW)
        result.failures += checks.judge(name, report["video"], report["audio"], limits)
        # Both stacks send one size whatever the rate; Petrel may step down where the path tells it to.
        if (report["video"]["width"], report["video"]["height"]) != (stack.width, stack.height):
            result.failures.append(f"{name}: pictures of {report['video']['width']}x{report['video']['height']}")


def run(program, folder, seconds=SECONDS):
    """All cases; results as they come."""
    for stack in stacks():
        for role in ("offerer", "answerer"):
            place = os.path.join(folder, f"{stack.name.split()[0].lower()}-{role}")
            yield call(stack, role, program, place, seconds)
