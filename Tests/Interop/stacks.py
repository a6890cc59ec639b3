"""The cases with aiortc and with GStreamer's webrtcbin: each as offerer and as answerer, pictures and sound both ways.

Their peers (aiortc_peer.py, gstreamer.py) take the messages of `petrel peer --stdio` and write its files, so one driver
and one measure serve both ends. Candidates trickle in both directions as they come.
"""
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import checks
from machine import Machine
from matrix import HERE, Result
from petrel_peer import PeerError, PetrelPeer
from sessions import ATTEMPTS, CONTENDED

# Judged time of a call, in seconds, and the time in which senders find their rate before it.
SECONDS, RAMP = 12, 2
# Sound is compared in windows of so many seconds: short enough that speech which a jitter buffer has played a little
# faster or slower is still the same wave within one.
WINDOW = 0.3


class Stack:
    """Another stack: how its peer is started, and what it is called."""

    def __init__(self, name, command, width=1280, height=720):
        self.name, self.command = name, command
        self.width, self.height = width, height

    def version(self):
        """What it says of itself."""
        ended = subprocess.run(self.command + ["--version"], capture_output=True, text=True, timeout=60)
        if ended.returncode != 0:
            raise PeerError(
                f"{self.name} does not start (Scripts/setup.sh test installs it): {last_line(ended.stderr)}")
        return ended.stdout.strip()


def last_line(text):
    return (text.strip().splitlines() or ["it says nothing"])[-1]


def interpreter_with(module, *candidates):
    """The first of the Python interpreters that can import a module."""
    for candidate in candidates:
        try:
            if subprocess.run([candidate, "-c", f"import {module}"], capture_output=True, timeout=60).returncode == 0:
                return candidate
        except (OSError, subprocess.TimeoutExpired):
            continue
    return candidates[0]


def stack(name):
    if name == "aiortc":
        return Stack("aiortc", [sys.executable, os.path.join(HERE, "aiortc_peer.py")])
    # The bindings of GStreamer belong to the system's own Python, which need not be the one that runs this.
    gstreamer = interpreter_with("gi", "/usr/bin/python3", sys.executable)
    return Stack("GStreamer webrtcbin", [gstreamer, os.path.join(HERE, "gstreamer.py")])


def call(stack, role, context, folder):
    """One call with another stack in `role`. Returns its Result, and the share of the machine that other programs took."""
    began, others = time.monotonic(), 0.0
    result = Result(stack.name, "-", role)
    try:
        result.version = stack.version()
        shutil.rmtree(folder, ignore_errors=True)
        petrel = PetrelPeer(context.program, os.path.join(folder, "petrel"))
        with petrel, PetrelPeer(None, os.path.join(folder, "other"), name=stack.name, command=stack.command) as other:
            machine = Machine()
            try:
                converse(result, stack, role, context, folder, petrel, other)
            finally:
                others = machine.others()
    except (PeerError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        result.failures.append(f"{type(error).__name__}: {error}")
    result.seconds = round(time.monotonic() - began, 1)
    return result, others


def converse(result, stack, role, context, folder, petrel, other):
    """The call between two peers that have been started."""
    offerer, answerer = (other, petrel) if role == "offerer" else (petrel, other)
    for peer in (petrel, other):
        peer.configure(video=context.clip, audio=context.speech, width=stack.width, height=stack.height)
    offer = offerer.create_offer()
    answer = answerer.answer(offer)
    for name, text in (("offer", offer), ("answer", answer)):
        with open(os.path.join(folder, name + ".sdp"), "w") as file:
            file.write(text)
    offerer.accept(answer)
    trickle(offerer, answerer)
    trickle(answerer, offerer)
    since = max(petrel.wait_connected(), other.wait_connected()) + RAMP * 1000
    time.sleep(RAMP + SECONDS)
    until = time.time() * 1000
    for peer in (petrel, other):
        if peer.errors:
            raise PeerError(f"{peer.name}: {peer.errors[0]}")
    # Both at once: who hangs up first would cut the other's last seconds.
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(peer.finish) for peer in (petrel, other)]:
            done.result()
    judge(result, petrel.out, other.out, since, until, stack)


def trickle(source, sink):
    """Hands the candidates of one peer to another, those of before first."""
    source.on_candidate = sink.add_candidate
    for candidate in list(source.candidates):
        sink.add_candidate(candidate)


def judge(result, petrel, other, since, until, stack):
    ours, theirs = checks.load_peer(petrel), checks.load_peer(other)
    for name, report, source, sink in (
            ("to Petrel", result.to_petrel, theirs, ours), ("from Petrel", result.from_petrel, ours, theirs)):
        report["video"] = checks.video_report(source.sent_video, sink.received_video, since=since, until=until)
        report["audio"] = checks.audio_report(
            source.sent_sound, sink.received_sound, since=since, until=until, window=WINDOW)
        result.failures += checks.judge(name, report["video"], report["audio"])
        # Nobody has a reason to send a smaller picture on a free link.
        size = (report["video"]["width"], report["video"]["height"])
        if size != (stack.width, stack.height):
            result.failures.append(f"{name}: pictures of {size[0]}x{size[1]}")


def run(context, name):
    """The cases of one stack; results as they come."""
    other = stack(name)
    for role in ("offerer", "answerer"):
        if not context.wants("call") or context.role not in (None, role):
            continue
        for attempt in range(1, ATTEMPTS + 1):
            context.progress(f"{other.name}, {role}")
            result, others = call(other, role, context, os.path.join(context.folder, f"{name}-{role}"))
            if others >= CONTENDED:
                result.notes["other programs took"] = f"{others:.0%} of the machine"
            if attempt > 1:
                result.notes["attempts"] = attempt
            # What failed on a machine that was busy with other things may be made again; what failed on an idle one not.
            if result.passed or others < CONTENDED or attempt == ATTEMPTS:
                break
            context.progress(f"  {result.failures[0]}, while other programs took {others:.0%} of the machine; once more")
        yield result
