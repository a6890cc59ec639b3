#!/usr/bin/env python3
"""aiortc as a scriptable peer: the messages and files of `petrel peer --stdio` (see scriptable.py).
Needs the packages aiortc and numpy. Usage: aiortc_peer.py, then JSON lines; `aiortc_peer.py --version` prints versions."""
import asyncio
import fractions
import sys
import threading
import time

import aiortc
import av
import numpy
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from scriptable import Film, Folder, Speech, lines, say, wall

SAMPLES = 960  # a packet of 20 ms


class Pace:
    """Waits for the next multiple of an interval; after a standstill it begins anew instead of running after it."""

    def __init__(self, interval):
        self.interval, self.next = interval, None

    async def wait(self):
        now = time.monotonic()
        if self.next is None or now - self.next > 1:
            self.next = now
        if self.next > now:
            await asyncio.sleep(self.next - now)
        self.next += self.interval


class FilmTrack(MediaStreamTrack):
    kind = "video"

    def __init__(self, film, rate, folder):
        super().__init__()
        self.film, self.folder, self.counter = film, folder, 0
        self.pace, self.began = Pace(1 / rate), None

    async def recv(self):
        await self.pace.wait()
        now = time.monotonic()
        self.began = self.began or now
        film = self.film
        picture = numpy.frombuffer(film[self.counter], numpy.uint8).reshape(film.height * 3 // 2, film.width)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = int((now - self.began) * 90000), fractions.Fraction(1, 90000)
        self.folder.video_sent(self.counter, film.width, film.height)
        self.counter += 1
        return frame


class SpeechTrack(MediaStreamTrack):
    kind = "audio"

    def __init__(self, speech, folder):
        super().__init__()
        self.speech, self.folder, self.samples = speech, folder, 0
        self.pace = Pace(SAMPLES / 48000)

    async def recv(self):
        await self.pace.wait()
        part = self.speech.read(SAMPLES)
        # Both channels at full level: aiortc would make stereo of mono itself, and take 3 dB off.
        samples = numpy.repeat(numpy.frombuffer(part, "<i2"), 2)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = 48000, self.samples, fractions.Fraction(1, 48000)
        self.samples += SAMPLES
        self.folder.audio("sent", part)
        return frame


class Peer:
    def __init__(self):
        self.connection = None

    async def handle(self, message):
        kind = message["type"]
        if kind == "config":
            self.configure(message)
            say(type="ready")
        elif kind == "createOffer":
            await self.connection.setLocalDescription(await self.connection.createOffer())
            say(type="offer", sdp=self.connection.localDescription.sdp)
        elif kind == "offer":
            await self.connection.setRemoteDescription(RTCSessionDescription(message["sdp"], "offer"))
            await self.connection.setLocalDescription(await self.connection.createAnswer())
            say(type="answer", sdp=self.connection.localDescription.sdp)
        elif kind == "answer":
            await self.connection.setRemoteDescription(RTCSessionDescription(message["sdp"], "answer"))
        elif kind == "candidate":
            fields = message["candidate"]
            if fields.get("candidate"):
                candidate = candidate_from_sdp(fields["candidate"].split(":", 1)[1])
                candidate.sdpMid, candidate.sdpMLineIndex = fields.get("sdpMid"), fields.get("sdpMLineIndex")
                await self.connection.addIceCandidate(candidate)
        else:
            say(type="error", message=f"unknown message type: {kind}")

    def configure(self, message):
        self.folder = Folder(message["out"])
        self.connection = connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.audio = SpeechTrack(Speech(message["audio"]), self.folder)
        connection.addTrack(self.audio)
        film = Film(message.get("video"), message.get("w", 1280), message.get("h", 720))
        self.video = FilmTrack(film, message.get("fps", 25), self.folder)
        connection.addTrack(self.video)
        self.tasks = []

        @connection.on("track")
        def on_track(track):
            self.tasks.append(asyncio.ensure_future(self.see(track) if track.kind == "video" else self.hear(track)))

        @connection.on("iceconnectionstatechange")
        def on_ice():
            if connection.iceConnectionState in ("connected", "completed"):
                self.folder.event("ice_connected")

        @connection.on("connectionstatechange")
        def on_state():
            if connection.connectionState == "connected":
                self.folder.event("conn_connected")
                say(type="conn", state="connected", t=wall())
            elif connection.connectionState == "failed":
                say(type="conn", state="failed", reason="aiortc says no more")

    async def see(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.folder.event("firstVideoPkt")
            plane = frame.planes[0]
            self.folder.video_received(memoryview(plane), plane.line_size, frame.width, frame.height)

    async def hear(self, track):
        expected = None
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48000)
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.folder.event("firstAudioPkt")
            # aiortc conceals nothing: what is missing is silence, so that the time line holds.
            if expected is not None and 0 < frame.pts - expected < 48000:
                self.folder.audio("recv", bytes(2 * (frame.pts - expected)))
            expected = frame.pts + frame.samples
            for part in resampler.resample(frame):
                self.folder.audio("recv", part.to_ndarray().astype("<i2").tobytes())

    async def finish(self):
        if self.connection:
            for track in (self.audio, self.video):
                track.stop()
            await self.connection.close()
            for task in self.tasks:
                task.cancel()
            self.folder.finish()
        say(type="done")


async def main():
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()

    def read():
        for message in lines():
            loop.call_soon_threadsafe(queue.put_nowait, message)
        loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    peer = Peer()
    while True:
        message = await queue.get()
        if message is None or message["type"] == "finish":
            return await peer.finish()
        try:
            await peer.handle(message)
        except Exception as error:  # A test wants to read the reason, whatever it is.
            say(type="error", message=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    if "--version" in sys.argv:
        print(f"aiortc {aiortc.__version__}, PyAV {av.__version__}")
    else:
        asyncio.run(main())
