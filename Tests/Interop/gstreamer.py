#!/usr/bin/env python3
"""GStreamer's webrtcbin as a scriptable peer: the messages and files of `petrel peer --stdio` (see scriptable.py).
Needs GStreamer with its Python bindings, which Debian has for the system's own Python: run it with /usr/bin/python3.
Usage: gstreamer.py, then JSON lines; `gstreamer.py --version` prints the version."""
import os
import re
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

from scriptable import Film, Folder, Speech, lines, say, wall  # noqa: E402

SAMPLES = 960  # a packet of 20 ms
TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


class Numbers:
    """Payload types and extension ids: our own in an offer, the other side's in an answer."""

    def __init__(self, sdp=None):
        self.opus, self.vp8, self.twcc = 97, 96, 1
        if sdp is None:
            return
        self.opus = int(re.search(r"a=rtpmap:(\d+) opus/48000", sdp, re.I).group(1))
        self.vp8 = int(re.search(r"a=rtpmap:(\d+) VP8/90000", sdp, re.I).group(1))
        twcc = re.search(rf"a=extmap:(\d+)(?:/\w+)? {re.escape(TWCC)}", sdp)
        self.twcc = int(twcc.group(1)) if twcc else None


class Pusher(threading.Thread):
    """Hands something to an appsrc at a steady pace, with the times at which a camera or microphone would have taken it."""

    def __init__(self, source, interval, take):
        super().__init__(daemon=True)
        self.source, self.interval, self.take = source, interval, take
        self.is_running = True

    def run(self):
        while self.is_running and not self.source.get_clock():
            time.sleep(0.005)
        due, count = time.monotonic(), 0
        shift = self.running_time() - due * Gst.SECOND
        while self.is_running:
            late = time.monotonic() - due
            if late < 0:
                time.sleep(-late)
            elif late > 1:  # What a standstill of the machine has cost is gone.
                due += late
            buffer = Gst.Buffer.new_wrapped(self.take(count))
            buffer.pts = max(0, int(due * Gst.SECOND + shift))
            buffer.duration = int(self.interval * Gst.SECOND)
            self.source.emit("push-buffer", buffer)
            count += 1
            due += self.interval

    def running_time(self):
        return self.source.get_clock().get_time() - self.source.get_base_time()


class Peer:
    def __init__(self):
        self.pipeline = None
        self.pushers = []

    def handle(self, message):
        kind = message["type"]
        if kind == "config":
            self.settings = message
            self.folder = Folder(message["out"])
            self.film = Film(message.get("video"), message.get("w", 1280), message.get("h", 720))
            self.speech = Speech(message["audio"])
            say(type="ready")
        elif kind == "createOffer":
            self.build(Numbers())
            # Both source pads have their capabilities once a first buffer has passed; then the offer is whole.
            self.pipeline.set_state(Gst.State.PLAYING)
            self.wait_for_caps()
            self.describe("offer")
        elif kind == "offer":
            self.build(Numbers(message["sdp"]))
            self.pipeline.set_state(Gst.State.PLAYING)
            self.wait_for_caps()
            self.set_remote(message)
            self.describe("answer")
        elif kind == "answer":
            self.set_remote(message)
        elif kind == "candidate":
            fields = message["candidate"]
            if fields.get("candidate"):
                self.webrtc.emit("add-ice-candidate", fields.get("sdpMLineIndex", 0), fields["candidate"])
        else:
            say(type="error", message=f"unknown message type: {kind}")

    def build(self, numbers):
        film, rate = self.film, self.settings.get("fps", 25)
        kbps = self.settings.get("maxKbps", 2500)
        # From these the payloader makes the header extension itself.
        extension = f",extmap-{numbers.twcc}=(string){TWCC}" if numbers.twcc else ""
        feedback = ",rtcp-fb-nack=(boolean)true,rtcp-fb-nack-pli=(boolean)true,rtcp-fb-ccm-fir=(boolean)true"
        if numbers.twcc:
            feedback += ",rtcp-fb-transport-cc=(boolean)true"
        # The link is the machine itself: what is encoded fits. Several threads of libvpx wait for each other by spinning,
        # which costs more than it brings where cores are few.
        self.pipeline = Gst.parse_launch(f"""
            webrtcbin name=webrtc bundle-policy=max-bundle latency=100
            appsrc name=film is-live=true format=time max-buffers=2 leaky-type=downstream
              caps=video/x-raw,format=I420,width={film.width},height={film.height},framerate={rate}/1
              ! queue max-size-buffers=2 leaky=downstream
              ! vp8enc name=encoder deadline=1 cpu-used=-8 threads=1 end-usage=cbr target-bitrate={kbps * 1000}
                keyframe-max-dist=2000 error-resilient=default
              ! rtpvp8pay name=vp8 picture-id-mode=15-bit mtu=1200
              ! application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload={numbers.vp8}{feedback}{extension}
              ! webrtc.
            appsrc name=speech is-live=true format=time
              caps=audio/x-raw,format=S16LE,rate=48000,channels=1,layout=interleaved
              ! opusenc frame-size=20 bitrate=32000 ! rtpopuspay name=opus
              ! application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload={numbers.opus},encoding-params=(string)2
              ! webrtc.""")
        self.webrtc = self.pipeline.get_by_name("webrtc")
        # Pads come in the order of the description above. Retransmissions are offered with this only.
        self.webrtc.sinkpads[0].get_property("transceiver").set_property("do-nack", True)
        self.webrtc.connect("on-ice-candidate", lambda _, line, text: say(
            type="candidate", candidate={"candidate": text, "sdpMid": None, "sdpMLineIndex": line}))
        self.webrtc.connect("pad-added", self.on_pad)
        self.webrtc.connect("notify::ice-connection-state", self.on_ice)
        self.webrtc.connect("notify::connection-state", self.on_connection)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: say(type="error", message=": ".join(map(str, m.parse_error()))))
        interval = SAMPLES / 48000

        def picture(counter):
            self.folder.video_sent(counter, film.width, film.height)
            return film[counter]

        def sound(_):
            part = self.speech.read(SAMPLES)
            self.folder.audio("sent", part)
            return part

        self.pushers = [
            Pusher(self.pipeline.get_by_name("film"), 1 / rate, picture),
            Pusher(self.pipeline.get_by_name("speech"), interval, sound)]

    def wait_for_caps(self):
        for pusher in self.pushers:
            pusher.start()
        pads = [pad for pad in self.webrtc.sinkpads]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not all(pad.get_current_caps() for pad in pads):
            time.sleep(0.01)

    def describe(self, kind):
        promise = Gst.Promise.new()
        self.webrtc.emit("create-" + kind, None, promise)
        promise.wait()
        reply = promise.get_reply()
        description = reply and reply.get_value(kind)
        if description is None:
            raise RuntimeError(f"webrtcbin made no {kind}: {reply and reply.to_string()}")
        done = Gst.Promise.new()
        self.webrtc.emit("set-local-description", description, done)
        done.wait()
        say(type=kind, sdp=description.sdp.as_text())

    def set_remote(self, message):
        result, sdp = GstSdp.SDPMessage.new_from_text(message["sdp"])
        if result != GstSdp.SDPResult.OK:
            raise RuntimeError("GStreamer cannot read the description")
        kind = GstWebRTC.WebRTCSDPType.OFFER if message["type"] == "offer" else GstWebRTC.WebRTCSDPType.ANSWER
        promise = Gst.Promise.new()
        self.webrtc.emit(
            "set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, sdp), promise)
        promise.wait()
        reply = promise.get_reply()
        if reply and reply.has_field("error"):
            raise RuntimeError(f"set-remote-description: {reply.to_string()}")

    def on_ice(self, *_):
        state = self.webrtc.get_property("ice-connection-state").value_nick
        if state in ("connected", "completed"):
            self.folder.event("ice_connected")

    def on_connection(self, *_):
        state = self.webrtc.get_property("connection-state").value_nick
        if state == "connected":
            self.folder.event("conn_connected")
            say(type="conn", state="connected", t=wall())
        elif state == "failed":
            say(type="conn", state="failed", reason="webrtcbin says no more")

    def on_pad(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps() or pad.query_caps()
        if caps.get_structure(0).get_string("media") == "video":
            chain = "rtpvp8depay request-keyframe=true ! vp8dec threads=1 ! videoconvert ! video/x-raw,format=I420"
            take = self.see
        else:
            chain = ("rtpopusdepay ! opusdec plc=true ! audioconvert ! audioresample"
                     " ! audio/x-raw,format=S16LE,rate=48000,channels=1,layout=interleaved")
            take = self.hear
        sink = Gst.parse_bin_from_description(
            f"queue ! {chain} ! appsink name=sink emit-signals=true sync=true max-buffers=50", True)
        sink.get_by_name("sink").connect("new-sample", take)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def see(self, sink):
        self.folder.event("firstVideoPkt")
        sample = sink.emit("pull-sample")
        structure = sample.get_caps().get_structure(0)
        width, height = structure.get_value("width"), structure.get_value("height")
        with sample.get_buffer().map(Gst.MapFlags.READ) as info:
            self.folder.video_received(info.data, (width + 3) // 4 * 4, width, height)
        return Gst.FlowReturn.OK

    def hear(self, sink):
        self.folder.event("firstAudioPkt")
        with sink.emit("pull-sample").get_buffer().map(Gst.MapFlags.READ) as info:
            self.folder.audio("recv", bytes(info.data))
        return Gst.FlowReturn.OK

    def finish(self):
        if self.pipeline:
            for pusher in self.pushers:
                pusher.is_running = False
            self.pipeline.set_state(Gst.State.NULL)
            self.folder.finish()
        say(type="done")


def main():
    # Errors with their place go to standard error, where the test keeps them.
    os.environ.setdefault("GST_DEBUG", "1")
    Gst.init(None)
    if "--version" in sys.argv:
        return print(Gst.version_string())
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    peer = Peer()
    for message in lines():
        if message["type"] == "finish":
            break
        try:
            peer.handle(message)
        except Exception as error:  # A test wants to read the reason, whatever it is.
            say(type="error", message=f"{type(error).__name__}: {error}")
    peer.finish()
    loop.quit()


if __name__ == "__main__":
    main()
