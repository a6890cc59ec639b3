"""Drives `petrel peer --stdio` (docs/use.md, "petrel peer --stdio"): one Petrel endpoint for a test with another stack."""
import json
import os
import subprocess
import threading
import time


class PeerError(Exception):
    """The peer answered with an error, too late, or not at all."""


class PetrelPeer:
    """One `petrel peer --stdio` process.

    Offerer: `configure`, `create_offer`, `accept`. Answerer: `configure`, `answer`. Then `wait_connected`, let time
    pass, `finish`; the files are in `out`. Candidates of the peer's own come to `on_candidate`, on a thread of this
    object, each as a dictionary `{"candidate", "sdpMid", "sdpMLineIndex"}`; its descriptions hold all of them already.
    Use it as a context manager: the process ends with it. `command`: another program that takes the same messages.
    """

    def __init__(self, program, out, name="petrel", on_candidate=None, log=None,
                 command=None):
        self.name = name
        self.out = os.path.abspath(out)
        self.on_candidate = on_candidate
        self.states = []  # (wall seconds, state, reason) of every "conn" message
        self.errors = []
        self.candidates = []
        os.makedirs(self.out, exist_ok=True)
        self.log_path = log or os.path.join(self.out, "stderr.log")
        self._log = open(self.log_path, "w")
        self.process = subprocess.Popen(
            command or [os.path.realpath(program), "peer", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, text=True, bufsize=1)
        self._messages = []
        self._news = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    # MARK: What it is asked

    def configure(self, video=None, audio=None, width=1280, height=720, fps=25, send_video=True, send_audio=True,
                  receive_video=True, max_kbps=2500, **more):
        """`video`, `audio`: files that ffmpeg reads; None: the built-in test card and sound. `more` goes into the
        config message as it is (`capture`, `captureDecrypted`, `log`, `address`, `startKbps`)."""
        message = {"type": "config", "out": self.out, "w": width, "h": height, "fps": fps, "sendVideo": send_video,
                   "sendAudio": send_audio, "recvVideo": receive_video, "maxKbps": max_kbps, **more}
        if video:
            message["video"] = video
        if audio:
            message["audio"] = audio
        self.send(message)
        self.wait("ready")

    def create_offer(self):
        self.send({"type": "createOffer"})
        return self.wait("offer")["sdp"]

    def answer(self, offer):
        self.send({"type": "offer", "sdp": offer})
        return self.wait("answer")["sdp"]

    def accept(self, answer):
        self.send({"type": "answer", "sdp": answer})

    def add_candidate(self, candidate, mid="0", index=0):
        """`candidate`: the text "candidate:...", or a dictionary as browsers make it (RTCIceCandidateInit)."""
        if not isinstance(candidate, dict):
            candidate = {"candidate": candidate, "sdpMid": mid, "sdpMLineIndex": index}
        self.send({"type": "candidate", "candidate": candidate})

    def wait_connected(self, seconds=20):
        """Waits until media can flow. Returns the wall time in milliseconds."""
        message = self.wait_state("connected", seconds)
        return message["t"]

    def wait_state(self, state, seconds=20):
        """Waits for a "conn" message with that state; "failed" in its place is an error."""
        def fits(message):
            return message["type"] == "conn" and message["state"] in (state, "failed")

        message = self._take(fits, seconds, f"connection state {state}")
        if message["state"] != state:
            raise PeerError(f"{self.name}: the connection failed: {message.get('reason')}")
        return message

    def finish(self, seconds=30):
        """Ends the call; afterwards the files are there. An exit code that is not 0 is an error."""
        self.send({"type": "finish"})
        self.wait("done", seconds)
        self.process.stdin.close()
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self.name}: still there 10 s after 'done'") from None
        if code != 0:
            raise PeerError(f"{self.name}: exit code {code}: {self.log_tail()}")

    # MARK: How

    def send(self, message):
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise PeerError(f"{self.name}: has ended with code {self.process.poll()}: {self.log_tail()}") from None

    def wait(self, kind, seconds=20):
        """Waits for a message of that type; an error message that comes first is raised."""
        message = self._take(lambda message: message["type"] in (kind, "error"), seconds, f"'{kind}'")
        if message["type"] == "error" and kind != "error":
            raise PeerError(f"{self.name}: {message['message']}")
        return message

    def is_running(self):
        return self.process.poll() is None

    def log_tail(self, lines=5):
        try:
            with open(self.log_path) as file:
                return " | ".join(file.read().strip().splitlines()[-lines:])
        except OSError:
            return ""

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()

    def _take(self, fits, seconds, what):
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                for index, message in enumerate(self._messages):
                    if fits(message):
                        return self._messages.pop(index)
                left = deadline - time.monotonic()
                if self._ended:
                    raise PeerError(f"{self.name}: ended before {what}, code {self.process.poll()}: {self.log_tail()}")
                if left <= 0:
                    raise PeerError(f"{self.name}: no {what} within {seconds} s: {self.log_tail()}")
                self._news.wait(left)

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)  # Every line of standard output is one JSON object.
            if message["type"] == "candidate":
                self.candidates.append(message["candidate"])
                if self.on_candidate:
                    self.on_candidate(message["candidate"])
                continue
            with self._news:
                if message["type"] == "conn":
                    self.states.append((time.time(), message["state"], message.get("reason")))
                if message["type"] == "error":
                    self.errors.append(message["message"])
                self._messages.append(message)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()
