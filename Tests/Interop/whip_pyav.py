"""WHIP and WHEP (RFC 9725, draft-ietf-wish-whep) with clients that are not ours: FFmpeg's WHIP muxer, in PyPI's PyAV,
publishes recorded speech to petrel-server, and aiortc plays what the server has of it. What was heard is compared with
what was said.

FFmpeg's muxer takes Opus and H.264 only. petrel-server takes VP8, so that pictures are offered in one of the cases and
have to be declined, and sound has to go on. In another the muxer is the DTLS client.

As PyAV builds it, with GnuTLS, the muxer has a fault: before each packet it sends it waits until a datagram has come.
So a relay lies between the two, which adds nothing but the keep-alives of ICE (Binding indications, RFC 8445 section 11):
one for each packet of the muxer's that the server has sent no datagram for. With fewer the muxer would stall; with more
they would fill its socket, and the answers to its checks of consent would get lost there, which ends it after 30 s.

    whip_pyav.py --publish URL WAV SECONDS FOLDER [--video] [--client]     the publisher, a process of its own
"""
import asyncio
import fractions
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

import av
import numpy

from scriptable import Folder, Speech

SAMPLES, SECONDS, RAMP = 960, 12, 1
# The muxer makes checks of consent and answers none: a server that makes them too would have lost consent by then (30 s,
# RFC 7675 section 5.1).
LONG = 45
NAME = "speech"


# MARK: The publisher


def publish(url, wav, seconds, folder, with_video, is_client):
    options = {}
    if is_client:
        # GnuTLS would make a certificate of a curve that its own ClientHello does not name (P-224), which no server can
        # take (RFC 8422 section 5.3): one of P-256 takes its place.
        made = [os.path.join(folder, name) for name in ("key.pem", "certificate.pem")]
        os.makedirs(folder, exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
             "/CN=publisher", "-days", "2", "-keyout", made[0], "-out", made[1]], check=True, capture_output=True)
        options = {"whip_flags": "dtls_active", "key_file": made[0], "cert_file": made[1]}
    folder, speech = Folder(folder), Speech(wav)
    container = av.open(url, "w", format="whip", options=options)
    audio = container.add_stream("libopus", rate=48000, layout="stereo", options={"frame_duration": "20"})
    video = None
    if with_video:
        video = container.add_stream("libx264", rate=25, options={
            "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "50"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
    count, due, end = 0, None, None
    while end is None or time.monotonic() < end:
        if due is not None:
            time.sleep(max(0.0, due - time.monotonic()))
        part = speech.read(SAMPLES)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=SAMPLES)
        frame.planes[0].update(numpy.repeat(numpy.frombuffer(part, "<i2"), 2).tobytes())
        frame.sample_rate, frame.pts, frame.time_base = 48000, count * SAMPLES, fractions.Fraction(1, 48000)
        if due is not None:  # What was said while the muxer connected has no time of its own.
            folder.audio("sent", part)
        for packet in audio.encode(frame):
            container.mux(packet)  # The first of these connects.
        if video and count % 2 == 0:
            picture = av.VideoFrame(320, 180, "yuv420p")
            picture.pts, picture.time_base = count // 2, fractions.Fraction(1, 25)
            for packet in video.encode(picture):
                container.mux(packet)
        if count == 2:  # libopus holds the first frame back; by now the muxer is connected, and time begins.
            due = time.monotonic()
            end = due + seconds
        count += 1
        if due is not None:
            due += SAMPLES / 48000
    container.close()
    folder.finish()


# MARK: The player


class Player:
    """aiortc as a WHEP client: sound into the files of the scriptable peer."""

    def __init__(self, folder):
        from aiortc import RTCConfiguration, RTCPeerConnection
        self.folder = Folder(folder)
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTransceiver("audio", direction="recvonly")
        self.connection.on("track", lambda track: setattr(self, "task", asyncio.ensure_future(self.hear(track))))
        self.task = self.resource = None

    async def play(self, url):
        from aiortc import RTCSessionDescription
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer, headers = await asyncio.to_thread(
            request, url, "POST", self.connection.localDescription.sdp.encode(), "application/sdp")
        self.resource = urllib.parse.urljoin(url, headers["Location"])
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.decode(), "answer"))

    async def hear(self, track):
        from aiortc.mediastreams import MediaStreamError
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48000)
        try:
            while True:
                for part in resampler.resample(await track.recv()):
                    self.folder.audio("recv", part.to_ndarray().astype("<i2").tobytes())
        except MediaStreamError:
            pass

    async def close(self):
        if self.resource:
            await asyncio.to_thread(request, self.resource, "DELETE")
        await self.connection.close()
        if self.task:
            self.task.cancel()
        self.folder.finish()


def request(url, method="GET", body=None, kind=None):
    """The body and the headers of the answer; HTTPError where the status is none of 2xx."""
    made = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind} if kind else {})
    with urllib.request.urlopen(made, timeout=20) as answer:
        return answer.read(), answer.headers


# MARK: Between the publisher and the server


class Relay:
    """An HTTP server that hands requests on to petrel-server, and puts itself into the candidates of its answers; and the
    UDP relay that they then lead to."""

    def __init__(self, server):
        relay = self
        self.server, self.is_running, self.sockets = server, True, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def hand_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    answer, headers = request(server + self.path, self.command, body or None,
                                              self.headers.get("Content-Type"))
                    status = 201 if self.command == "POST" else 200
                    answer = relay.redirect(answer.decode()).encode()
                except urllib.error.HTTPError as error:
                    answer, headers, status = error.read(), error.headers, error.code
                self.send_response(status)
                for name in ("Content-Type", "Location", "ETag"):
                    if headers.get(name):
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_DELETE = hand_on

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def redirect(self, answer):
        """Puts a relay in the place of the first IPv4 candidate of an answer, and leaves the others out."""
        lines, found = [], False
        for line in answer.split("\r\n"):
            if line.startswith("a=candidate:"):
                words = line.split(" ")
                if found or ":" in words[4]:
                    continue
                found = True
                words[4:6] = ["127.0.0.1", str(self.carry((words[4], int(words[5]))))]
                line = " ".join(words)
            lines.append(line)
        return "\r\n".join(lines)

    def carry(self, server):
        """Begins to carry datagrams between whoever comes and an address. Returns the port to come to."""
        near, far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        near.bind(("127.0.0.1", 0))
        far.connect(server)
        self.sockets += [near, far]
        client, owed, heard, lock = [], [0], [0.0], threading.Lock()
        indication = bytes.fromhex("001100082112a442") + os.urandom(12)
        check = zlib.crc32(indication) ^ 0x5354554E
        indication += b"\x80\x28\x00\x04" + check.to_bytes(4, "big")

        def out():
            while self.is_running:
                data, address = near.recvfrom(2048)
                with lock:
                    client[:], heard[0] = [address], time.monotonic()
                    owed[0] += 1
                    if owed[0] > 0:
                        owed[0] -= 1
                        near.sendto(indication, address)
                far.send(data)

        def back():
            while self.is_running:
                data = far.recv(2048)
                with lock:
                    owed[0] -= 1
                    if client:
                        near.sendto(data, client[0])

        def keep_alive():
            # Whatever was not read one for one while it connected: a muxer that stalls is woken.
            while self.is_running:
                time.sleep(0.01)
                if client and time.monotonic() - heard[0] > 0.05:
                    near.sendto(indication, client[0])

        for work in (out, back, keep_alive):
            threading.Thread(target=self.until_closed, args=(work,), daemon=True).start()
        return near.getsockname()[1]

    @staticmethod
    def until_closed(work):
        try:
            work()
        except OSError:
            pass

    def close(self):
        self.is_running = False
        self.http.shutdown()
        self.http.server_close()
        for each in self.sockets:
            each.close()


# MARK: The cases


class WHIPError(Exception):
    pass


class Server:
    """A petrel-server on a port of the system's choice. A context manager; its address is `url`."""

    def __init__(self, program, log):
        self.program, self.log_path = program, log

    def __enter__(self):
        if not os.access(self.program, os.X_OK):
            raise WHIPError(f"{self.program} is no program: PETREL_SERVER=1 swift build builds it")
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen(
            [self.program, "--port", "0"], stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self.process.stdout.readline().strip().rstrip("/")
        if not self.url.startswith("http"):
            raise WHIPError(f"petrel-server does not start: {open(self.log_path).read().strip()[-200:]}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def streams(self):
        return [stream["name"] for stream in json.loads(request(self.url + "/status")[0])["streams"]]


async def listen(server, publisher, folder, seconds):
    """Waits for the stream, and plays it. Returns the wall milliseconds between which there has to be sound."""
    deadline = time.monotonic() + 20
    while NAME not in await asyncio.to_thread(server.streams):
        if publisher.poll() is not None:
            raise WHIPError("the publisher has ended before it had published: " + publisher.communicate()[1][-300:])
        if time.monotonic() > deadline:
            raise WHIPError("no stream within 20 s")
        await asyncio.sleep(0.1)
    player = Player(folder)
    try:
        await player.play(f"{server.url}/whep/{NAME}")
        deadline = time.monotonic() + 20
        while player.folder.sound["recv"][2] == 0:
            if time.monotonic() > deadline:
                raise WHIPError("nothing is heard within 20 s")
            await asyncio.sleep(0.05)
        since = time.time() * 1000 + RAMP * 1000
        await asyncio.sleep(RAMP + seconds)
        return since, time.time() * 1000
    finally:
        await player.close()


def case(context, name, *options, seconds=SECONDS):
    import checks
    from machine import Machine
    from matrix import Result
    library = ".".join(str(part) for part in av.library_versions["libavformat"])
    result = Result("FFmpeg WHIP muxer", f"libavformat {library}, PyAV {av.__version__}", "offerer", name)
    folder = os.path.join(context.folder, name.lower().replace(" ", "-").replace(",", ""))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    began, machine, others = time.monotonic(), Machine(), 0.0
    try:
        program = os.path.join(os.path.dirname(context.program), "petrel-server")
        with Server(program, os.path.join(folder, "server.log")) as server:
            relay = Relay(server.url)
            publisher = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), "--publish", f"{relay.url}/whip/{NAME}", context.speech,
                 str(seconds + RAMP + 8), os.path.join(folder, "publisher"), *options],
                stderr=subprocess.PIPE, text=True)
            try:
                since, until = asyncio.run(listen(server, publisher, os.path.join(folder, "player"), seconds))
                others = machine.others()
                errors = publisher.communicate(timeout=60)[1]
                if publisher.returncode != 0:
                    raise WHIPError(f"the publisher ended with {publisher.returncode}: {errors.strip()[-300:]}")
            finally:
                publisher.kill()
                publisher.wait()
                relay.close()
            # Its DELETE has ended the stream.
            if NAME in server.streams():
                result.failures.append("the stream outlives its publisher's DELETE")
        sent = checks.load_peer(os.path.join(folder, "publisher")).sent_sound
        heard = checks.load_peer(os.path.join(folder, "player")).received_sound
        audio = checks.audio_report(sent, heard, since=since, until=until, window=0.3)
        result.to_petrel["audio"] = audio
        result.failures += checks.judge("to Petrel, and on to aiortc by WHEP", None, audio)
        result.notes["heard by"] = "aiortc, a WHEP client"
        if seconds != SECONDS:
            result.notes["lasted"] = f"{seconds} s"
        if "--video" in options:
            result.notes["H.264"] = "offered, and declined"
    except (WHIPError, OSError, urllib.error.HTTPError, subprocess.TimeoutExpired) as error:
        result.failures.append(f"{type(error).__name__}: {error}")
    result.seconds = round(time.monotonic() - began, 1)
    return result, others


def run(context, _):
    from sessions import ATTEMPTS, CONTENDED
    for name, seconds, *options in (
            ("WHIP", SECONDS), ("WHIP, pictures declined", SECONDS, "--video"),
            ("WHIP, Petrel as DTLS server", SECONDS, "--client"), ("WHIP, longer than consent lasts", LONG)):
        if context.quick and seconds == LONG or not context.wants(name) or context.role not in (None, "offerer"):
            continue
        for attempt in range(1, ATTEMPTS + 1):
            context.progress(f"FFmpeg's WHIP muxer: {name}")
            result, others = case(context, name, *options, seconds=seconds)
            if others >= CONTENDED:
                result.notes["other programs took"] = f"{others:.0%} of the machine"
            if result.passed or others < CONTENDED or attempt == ATTEMPTS:
                break
            context.progress(f"  {result.failures[0]}; once more")
        yield result


if __name__ == "__main__":
    if len(sys.argv) < 6 or sys.argv[1] != "--publish":
        sys.exit(__doc__)
    publish(sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5], "--video" in sys.argv, "--client" in sys.argv)
