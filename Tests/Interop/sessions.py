"""Calls between a browser and Petrel, each a case of the matrix. A case connects the two, lets something happen, and
leaves what both ends saw and heard to be judged."""
import json
import os
import re
import shutil
import subprocess
import time
import traceback

import checks
import media
from browser import BrowserError
from machine import Machine
from matrix import Result
from petrel_peer import PeerError, PetrelPeer
from web import load_browser

# The seconds of a call in which a browser finds its rate; what comes after them is judged more strictly.
CALL_SECONDS = 14.0
# A share of the machine that other programs take, from which on a failed case is tried again; and how often.
CONTENDED = 0.1
TAKEN = "other programs took"
ATTEMPTS = 3


class CaseError(Exception):
    """A step of a case went wrong: a sentence for the matrix."""


class Session:
    """One Petrel peer and one browser. Used by the cases below as a context manager."""

    def __init__(self, context, browser_class, folder, **peer):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.notes = {}
        self.machine, self.others = Machine(), None
        self.petrel = PetrelPeer(context.program, os.path.join(folder, "petrel"))
        self.browser = browser_class(context.server, context.tag(), os.path.join(folder, "browser"))
        self.peer = peer

    def __enter__(self):
        try:
            self.browser.__enter__()
            self.petrel.configure(video=media.CLIP, audio=media.SPEECH, **self.peer)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.others is None:
            self.others = self.machine.others()
        self.petrel.kill()
        self.browser.close()

    # MARK: Connecting

    def connect(self, role, trickle=False, page=None, offer_changes=(), answer_changes=(), prepare=None):
        """Makes the call; `role` is the browser's. `offer_changes`: pairs (pattern, text) applied to the offer on its
        way to the other side, `answer_changes` to the answer."""
        self.browser.rig("prepare", {**self.browser.source(), **(prepare or {})})
        if role == "offerer":
            self.browser.rig("connect", page or {})
            offer = self.browser.rig("offer", {"trickle": trickle})
            self.began = time.time() * 1000
            self.exchange("offerer", offer, trickle, offer_changes, answer_changes)
        else:
            self.browser.rig("connect", {**(page or {}), "addTracks": False})
            self.began = time.time() * 1000
            self.exchange("answerer", self.petrel.create_offer(), trickle, offer_changes, answer_changes)
        self.connected = self.petrel.wait_connected(30)
        self.trickle(trickle)
        self.browser.rig("waitConnected", 20)
        # Only what comes from here on is judged: the first pictures may be of the time before both were there.
        self.since = time.time() * 1000

    def exchange(self, role, offer, trickle=False, offer_changes=(), answer_changes=()):
        """Carries an offer and its answer; `role` is the browser's."""
        self.offer = changed(offer, offer_changes)
        if role == "offerer":
            self.answer = self.petrel.answer(self.offer)
            self.browser.rig("accept", changed(self.answer, answer_changes))
        else:
            self.answer = self.browser.rig("answer", self.offer, {"trickle": trickle})
            self.petrel.accept(changed(self.answer, answer_changes))
        self.write("offer.sdp", self.offer)
        self.write("answer.sdp", self.answer)
        self.trickle(trickle)

    def trickle(self, trickle, seconds=1.0):
        """Carries candidates both ways for a while."""
        if not trickle:
            return
        end, carried = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            for candidate in self.browser.rig("takeCandidates"):
                self.petrel.add_candidate(candidate)
                carried += 1
            own, self.petrel.candidates = self.petrel.candidates, []
            if own:
                self.browser.rig("addCandidates", own)
            time.sleep(0.005)
        self.notes["candidates trickled"] = self.notes.get("candidates trickled", 0) + carried

    def renegotiate(self, role, restart=False):
        """Another offer and answer in mid-call; `role` is the browser's."""
        if role == "offerer":
            self.exchange(role, self.browser.rig("offer", {"iceRestart": restart}))
        else:
            self.petrel.send({"type": "createOffer", "iceRestart": restart})
            self.exchange(role, self.petrel.wait("offer")["sdp"])

    # MARK: Looking

    def window(self, seconds):
        """Waits, and returns the wall times in ms between which it did."""
        began = time.time() * 1000
        time.sleep(seconds)
        return began, time.time() * 1000

    def pictures(self, window):
        """How many pictures Petrel and the browser saw between two wall times; after `finish`."""
        return tuple(int(((rows[:, 0] >= window[0]) & (rows[:, 0] < window[1])).sum())
                     for rows in (self.here.received_video, self.there.received_video))

    def stats(self, kind=None):
        """The browser's statistics, of one type where it is given."""
        return [entry for entry in self.browser.rig("stats") if kind is None or entry["type"] == kind]

    def transport(self):
        """Facts about how the two are connected, as the browser tells them."""
        facts = {}
        for entry in self.stats("transport"):
            for name, label in (("dtlsRole", "browser's DTLS role"), ("tlsVersion", "TLS"), ("srtpCipher", "SRTP"),
                                ("dtlsCipher", "DTLS")):
                if name in entry:
                    facts[label] = entry[name]
        return facts

    def write(self, name, text):
        count = 0
        while os.path.exists(path := os.path.join(self.folder, f"{count}-{name}")):
            count += 1
        with open(path, "w") as file:
            file.write(text)

    # MARK: The end

    def finish(self):
        """Ends both and loads what they saw and heard."""
        status = self.browser.rig("status")
        self.others = self.machine.others()
        self.until = time.time() * 1000
        self.browser.rig("finish", seconds=90)
        self.petrel.finish()
        self.there, self.index = load_browser(self.browser.folder)
        self.here = checks.load_peer(self.petrel.out)
        self.page_notes = self.index["notes"]
        return status

    def reports(self, since=None, until=None):
        since, until = since or self.since, until or self.until
        to_petrel = {
            "video": checks.video_report(self.there.sent_video, self.here.received_video, self.browser.modulus, since,
                                         until),
            "audio": checks.audio_report(self.there.sent_sound, self.here.received_sound, since, until)}
        from_petrel = {
            "video": checks.video_report(self.here.sent_video, self.there.received_video, checks.MODULUS, since, until),
            "audio": checks.audio_report(self.here.sent_sound, self.there.received_sound, since, until)}
        return to_petrel, from_petrel


def changed(sdp, changes):
    for pattern, text in changes:
        sdp, count = re.subn(pattern, text, sdp)
        if count == 0:
            raise CaseError(f"nothing in the description is {pattern}")
    return sdp


def need(holds, sentence):
    if not holds:
        raise CaseError(sentence)


# MARK: Cases. Each takes a Session's maker, the browser's role and a Result to fill in.

def call(make, role, result, seconds=CALL_SECONDS, limits=None, after=None, **connect):
    """Sound and picture both ways, judged at both ends."""
    with make() as session:
        session.connect(role, **connect)
        time.sleep(seconds)
        result.notes.update(session.notes)
        result.notes.update(session.transport())
        if after:
            after(session, result)
        session.finish()
        judge(session, result, limits)
        return session


def judge(session, result, limits=None, since=None):
    result.to_petrel, result.from_petrel = session.reports(since)
    limits = limits or checks.Limits()
    for name, direction in (("to Petrel", result.to_petrel), ("from Petrel", result.from_petrel)):
        result.failures += checks.judge(name, direction["video"], direction["audio"], limits)
    result.failures += [f"the peer said: {text}" for text in session.petrel.errors]
    result.failures += [f"the page said: {text}" for text in session.page_notes]


def trickle(make, role, result):
    call(make, role, result, seconds=11, trickle=True)
    if role == "offerer":
        need(result.notes.get("candidates trickled"), "no candidate was trickled")


def restart(by_browser):
    def case(make, role, result):
        """ICE restarts in mid-call: media goes on over the new pair."""
        with make() as session:
            session.connect(role)
            time.sleep(5)
            before = re.search(r"a=ice-ufrag:(\S+)", session.offer).group(1)
            session.renegotiate("offerer" if by_browser else "answerer", restart=True)
            need(before not in (session.offer, session.answer), "the credentials are the old ones")
            session.since = time.time() * 1000 + 1000
            time.sleep(12)
            session.finish()
            judge(session, result)
            gap = checks.video_report(session.there.sent_video, session.here.received_video,
                                      session.browser.modulus)["longestGapMs"]
            result.notes["longest gap of the picture, ms"] = gap
            need(gap is not None and gap < 1000, f"the picture stood still for {gap} ms")
    return case


def tracks_again(make, role, result):
    """The browser takes its picture away and brings it back: removeTrack and addTrack, with offers of its own."""
    with make() as session:
        session.connect(role)
        time.sleep(4)
        session.browser.rig("stopSending", "video")
        session.renegotiate("offerer")
        time.sleep(1)
        without = session.window(2)
        session.browser.rig("startSending", "video")
        session.renegotiate("offerer")
        session.since = time.time() * 1000 + 1000
        time.sleep(12)
        session.finish()
        judge(session, result)
        here, there = session.pictures(without)
        need(here == 0, f"{here} pictures came to Petrel after the track was taken away")
        need(there >= 25, f"the browser saw {there} pictures of Petrel's in 2 s while it sent none")


def section_again(make, role, result):
    """The browser stops the section of the picture for good, and opens another one, in which Petrel sends too once it
    has a track for it."""
    with make() as session:
        session.connect(role)
        time.sleep(4)
        session.browser.rig("stopSection", "video")
        session.renegotiate("offerer")
        time.sleep(1)
        without = session.window(2)
        session.browser.rig("addSection", "video")
        # Petrel's track went with its section; this one takes the place of it.
        session.petrel.send({"type": "removeTrack", "kind": "video"})
        session.petrel.send({"type": "addTrack", "kind": "video"})
        session.renegotiate("offerer")
        session.since = time.time() * 1000 + 1000
        time.sleep(12)
        session.finish()
        judge(session, result)
        here, there = session.pictures(without)
        need((here, there) == (0, 0), f"{here} and {there} pictures came while there was no section")


def petrel_tracks_again(make, role, result):
    """Petrel takes its picture away, and brings another one, with offers of its own."""
    with make() as session:
        session.connect(role)
        time.sleep(4)
        session.petrel.send({"type": "removeTrack", "kind": "video"})
        session.renegotiate("answerer")
        time.sleep(1)
        without = session.window(2)
        session.petrel.send({"type": "addTrack", "kind": "video"})
        session.renegotiate("answerer")
        session.since = time.time() * 1000 + 1000
        time.sleep(12)
        session.finish()
        judge(session, result)
        _, there = session.pictures(without)
        need(there == 0, f"{there} pictures came to the browser after the track was taken away")


def vanishing(how):
    def case(make, role, result):
        """The browser's tab is closed, or the browser dies: Petrel says so in time, and ends well."""
        with make() as session:
            session.connect(role)
            time.sleep(3)
            began, session.others = time.time(), session.machine.others()
            getattr(session.browser, how)()
            states = {}
            # Checks of consent fail after 30 s at most (RFC 7675); a DTLS alert is quicker.
            while time.time() - began < 45:
                for at, state, reason in session.petrel.states:
                    if at >= began:
                        states.setdefault(state, (round(at - began, 1), reason))
                if "failed" in states or "closed" in states:
                    break
                time.sleep(0.1)
            need(session.petrel.is_running(), f"the peer has ended with code {session.petrel.process.poll()}")
            need(states, "Petrel noticed nothing within 45 s")
            for state, (after, reason) in states.items():
                result.notes[f"{state} after, s"] = f"{after}" + (f" ({reason})" if reason else "")
            need("failed" in states or "closed" in states, f"Petrel said only {', '.join(states)} within 45 s")
            session.petrel.finish()
    return case


def stereo(make, role, result):
    """The browser asks for stereo in its Opus parameters, and sends it."""
    def asked(session, result):
        line = next((line for line in session.offer.splitlines() if "a=fmtp:111" in line), "")
        result.notes["Opus parameters"] = line

    call(make, role, result, seconds=11, after=asked, prepare={"stereo": True},
         offer_changes=[("useinbandfec=1", "useinbandfec=1;stereo=1;sprop-stereo=1")])


def simulcast(make, role, result):
    """The browser offers three encodings of its picture; one is answered."""
    def looked(session, result):
        need("a=simulcast" in session.offer, "the offer has no simulcast")
        session.write("stats.json", json.dumps(session.stats(), indent=1))
        need("a=simulcast" not in session.answer and "a=rid" not in session.answer, "the answer took simulcast")
        active = [entry for entry in session.stats("outbound-rtp")
                  if entry["kind"] == "video" and entry.get("active", True) and entry.get("packetsSent", 0) > 50]
        result.notes["encodings sent"] = ", ".join(
            f"{entry.get('rid', '-')} {entry.get('frameHeight')}p {entry['packetsSent']} packets" for entry in active)
        need(len(active) == 1, f"{len(active)} encodings are sent")

    # The layer that is left may be the smallest one.
    call(make, role, result, seconds=11, after=looked, page={"simulcast": True})


def swapped_roles(make, role, result):
    """The DTLS roles other than the ones both would take by themselves."""
    call(make, role, result, seconds=11, offer_changes=[("a=setup:actpass", "a=setup:active")])
    need("active" in result.notes.get("browser's DTLS role", "active") or
         result.notes["browser's DTLS role"] == "client", "the browser is not the client")


def capture_time(make, role, result):
    """abs-capture-time: offered by either, taken by the other, and there in what arrives."""
    uri = "abs-capture-time"

    def looked(session, result):
        need(uri in session.offer, "it is not in the offer")
        need(uri in session.answer, "it is not in the answer")

    call(make, role, result, seconds=11, after=looked, page={"absCaptureTime": True})


# name: (function, roles of the browser, in the quick set)
CASES = {
    "call": (call, ("offerer", "answerer"), True),
    "trickled candidates": (trickle, ("offerer", "answerer"), False),
    "ICE restart by the browser": (restart(True), ("offerer",), True),
    "ICE restart by Petrel": (restart(False), ("answerer",), True),
    "picture taken away and brought back by the browser": (tracks_again, ("offerer",), True),
    "section stopped and another opened by the browser": (section_again, ("offerer",), False),
    "picture taken away and brought back by Petrel": (petrel_tracks_again, ("answerer",), False),
    "hung up in the browser": (vanishing("hang_up"), ("offerer",), True),
    "tab closed": (vanishing("close_tab"), ("offerer",), False),
    "browser killed": (vanishing("vanish"), ("offerer",), False),
    "stereo Opus": (stereo, ("offerer",), False),
    "simulcast offered": (simulcast, ("offerer",), False),
    "Petrel as DTLS server of an offer": (swapped_roles, ("offerer",), False),
    "abs-capture-time": (capture_time, ("answerer", "offerer"), False),
}
ONLY_CHROMIUM = ("stereo Opus", "abs-capture-time")


def run(browser_class, context):
    """Runs the cases that `context` wants with a browser. Yields Results."""
    version = browser_class.version()
    for name, (function, roles, quick) in CASES.items():
        if context.quick and not quick or not context.wants(name):
            continue
        if name in ONLY_CHROMIUM and browser_class.name != "Chromium":
            continue
        for role in roles:
            if context.role and role != context.role:
                continue
            folder = os.path.join(context.folder, re.sub(r"\W+", "-", f"{browser_class.name}-{name}-{role}".lower()))
            yield from attempts(browser_class, context, version, name, function, role, folder)


def attempts(browser_class, context, version, name, function, role, folder):
    """Runs a case; again where it failed while other programs took a share of the machine: pictures are encoded and
    decoded twice here, and two cores are just enough. Yields the Result of the last attempt."""
    for attempt in range(1, ATTEMPTS + 1):
        result = Result(browser_class.name, version, role, name)
        made = []

        def make(**peer):
            made.append(Session(context, browser_class, folder, **peer))
            return made[-1]

        began = time.monotonic()
        context.progress(f"{browser_class.name} {role}: {name}")
        try:
            function(make, role, result)
        except (CaseError, PeerError, BrowserError, media.MediaError, subprocess.SubprocessError) as error:
            result.failures.append(f"{error}")
        except Exception as error:  # A rig that stumbles must not take the other cases with it.
            result.failures.append(f"{type(error).__name__}: {error}")
            traceback.print_exc()
        result.seconds = round(time.monotonic() - began, 1)
        others = max((session.others or 0.0 for session in made), default=0.0)
        if others >= CONTENDED:
            result.notes[TAKEN] = f"{others:.0%} of the machine"
        if result.passed or others < CONTENDED or attempt == ATTEMPTS:
            yield result
            return
        context.progress(f"  failed while other programs took {others:.0%} of the machine; once more")
