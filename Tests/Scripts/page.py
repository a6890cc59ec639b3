#!/usr/bin/env python3
"""Opens the page of petrel-server in headless Chromium, as a person would, and checks what it does: one request, calls,
sliders, sentences, phone size. Needs `chromium` and nothing else.
Usage: Tests/Scripts/page.py PROGRAM [--least-fps N] [--pictures FOLDER]
PROGRAM is a release build where 20 pictures a second are asked for (the default). --pictures takes the pictures of docs."""
import argparse
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from queue import Empty, Queue

arguments = argparse.ArgumentParser()
arguments.add_argument("program")
arguments.add_argument("--least-fps", type=float, default=20)
arguments.add_argument("--pictures")
arguments = arguments.parse_args()
program = os.path.realpath(arguments.program)
failures = []


def check(holds, what):
    print("ok    " if holds else "FAILED", what, flush=True)
    if not holds:
        failures.append(what)


class Server:
    def __init__(self, *options):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [program, "--port", "0", "--log", "warning", *options], stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.address = self.process.stdout.readline().strip().rstrip("/")
        if not self.address:
            self.log.seek(0)
            raise SystemExit(f"petrel-server does not start: {self.log.read()}")

    def ask(self, path, method="GET", token=None):
        request = urllib.request.Request(self.address + path, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def peers(self):
        return json.loads(self.ask("/status"))["peers"]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


class Browser:
    """Chromium, driven through its debugging pipe: messages of JSON, each ended by a zero byte."""

    camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

    def __init__(self, *flags):
        self.folder = tempfile.mkdtemp(prefix="petrel-page-")
        to_browser, self.output = os.pipe()
        self.input, from_browser = os.pipe()

        def descriptors():  # Chromium reads from 3 and writes to 4; both may be in the way now.
            a, b = os.dup(to_browser), os.dup(from_browser)
            os.dup2(a, 3)
            os.dup2(b, 4)

        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            raise SystemExit("Chromium is not installed: Scripts/setup.sh test installs it")
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
             "--remote-debugging-pipe", f"--user-data-dir={self.folder}", *flags, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=descriptors, close_fds=False, start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        self.lock, self.number, self.waiting, self.sessions = threading.Lock(), 0, {}, {}
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        buffer = b""
        while part := os.read(self.input, 1 << 16):
            *messages, buffer = (buffer + part).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self.waiting.pop(message["id"]).put(message)
                elif message.get("sessionId") in self.sessions:
                    self.sessions[message["sessionId"]].event(message["method"], message["params"])

    def command(self, method, session=None, seconds=60, **parameters):
        answer = Queue()
        with self.lock:
            self.number += 1
            self.waiting[self.number] = answer
            message = {"id": self.number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self.output, data):]
        try:
            message = answer.get(timeout=seconds)
        except Empty:
            raise SystemExit(f"Chromium does not answer {method} within {seconds} s") from None
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def page(self, *scripts):
        return Page(self, scripts)

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Page:
    def __init__(self, browser, scripts):
        self.browser = browser
        self.target = browser.command("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.command("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        self.requests, self.bytes, self.exceptions, self.answers = [], {}, [], None
        browser.sessions[self.session] = self
        for domain in ("Page", "Runtime", "Network"):
            self.command(domain + ".enable")
        for script in scripts:
            self.command("Page.addScriptToEvaluateOnNewDocument", source=script)

    def event(self, method, parameters):
        if method == "Network.requestWillBeSent":
            self.requests.append((parameters.get("type"), parameters["request"]["method"], parameters["request"]["url"]))
        elif method == "Network.loadingFinished":
            self.bytes[parameters["requestId"]] = parameters["encodedDataLength"]
        elif method == "Runtime.exceptionThrown":
            self.exceptions.append(parameters["exceptionDetails"])
        elif method == "Fetch.requestPaused":
            threading.Thread(target=self.answers, args=(parameters,), daemon=True).start()

    def command(self, method, **parameters):
        return self.browser.command(method, session=self.session, **parameters)

    def run(self, expression, seconds=60):
        result = self.browser.command(
            "Runtime.evaluate", session=self.session, seconds=seconds, expression=expression, awaitPromise=True,
            returnByValue=True, userGesture=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, address):
        self.command("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && !!window.petrel", 20)

    def until(self, expression, seconds):
        deadline = time.time() + seconds
        while time.time() < deadline:
            try:
                if value := self.run(expression):
                    return value
            except RuntimeError:
                pass  # The page is only just loading.
            time.sleep(0.2)
        return None

    def start(self, options="{}", seconds=60):
        """'connected', or the kind and sentence of what went wrong."""
        return self.run(f"petrel.start({options}).then(() => 'connected', e => e.kind + ': ' + e.message)", seconds)

    def stats(self):
        return self.run("petrel.stats()")

    def click(self, selector):
        x, y = self.run(
            f"(e => (e.scrollIntoView({{block: 'center'}}), (b => [b.x + b.width / 2, b.y + b.height / 2])"
            f"(e.getBoundingClientRect())))(document.querySelector({json.dumps(selector)}))")
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def shown(self):
        """Title and sentence of the problem that the page shows, if it shows one."""
        return self.run("document.getElementById('problem').hidden ? '' : document.getElementById('problem').innerText") or ""

    def size(self, width, height, dark=False, scale=1):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                     mobile=width < 500)
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def overflow(self):
        return self.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def picture(self, path):
        raw = base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(raw)
            file.flush()
            # 256 colours: a picture in a repository shall be small.
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", file.name, "-vf",
                            "split[a][b];[a]palettegen=256:stats_mode=full[p];[b][p]paletteuse=dither=bayer:bayer_scale=4", path], check=True)

    def answer_with(self, pattern, respond):
        """`respond` answers the requests to `pattern` in the server's place."""
        self.answers = respond
        self.command("Fetch.enable", patterns=[pattern])

    def close(self):
        self.browser.command("Target.closeTarget", targetId=self.target)


def average(history, key):
    values = [second[key] for second in history if second[key] is not None]
    return sum(values) / len(values) if values else None


def text(value):
    return "unknown" if value is None else f"{value:.1f}"


def wait_for(condition, seconds):
    deadline = time.time() + seconds
    while time.time() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def loads_in_one_request(server, browser):
    page = browser.page()
    page.size(1280, 800)
    page.open(server.address + "/")
    time.sleep(1)
    loaded = [request for request in page.requests if request[0] not in ("Fetch", "XHR")]
    check([request[2] for request in loaded] == [server.address + "/"], f"one request loads the page: {loaded}")
    size = max(page.bytes.values(), default=0)
    check(10_000 < size < 100_000, f"the page is {size} bytes on the wire, less than 100 kB")
    with urllib.request.urlopen(server.address + "/", timeout=10) as answer:
        plain = answer.read()
        check(answer.headers.get_content_type() == "text/html", "the page is text/html")
    check(len(plain) < 100_000, f"the page is {len(plain)} bytes, less than 100 kB")
    outside = set(re.findall(rb"""(?:src|href|action|url\()\s*=?\s*["']?(https?:)?//""", plain))
    check(not outside, "nothing in the page names another host")
    check(page.run("document.activeElement === document.body") and not page.shown(), "nothing is wrong before a call")
    return page


def film(server, page):
    before = len(page.requests)
    page.click("#go")
    check(page.until("petrel.state === 'connected'", 40), "a click on Call connects")
    check(page.run("document.activeElement.id") == "hangup", "the focus goes to Hang up")
    check(page.run("document.getElementById('state').textContent") == "Connected", "the state is said")
    time.sleep(18)
    stats = page.stats()
    last = stats["history"][-8:]
    fps, back = average(last, "fpsDown"), average(last, "fpsUp")
    check(fps is not None and fps > arguments.least_fps, f"the film is shown with {text(fps)} pictures a second")
    # Chromium's fake camera gives 20 a second.
    check(back is not None and back > 0.75 * arguments.least_fps, f"Petrel shows {text(back)} pictures a second of the camera")
    check((stats["width"] or 0) >= 640, f"the film is {stats['width']}x{stats['height']}")
    for key, least, most in (("latencyDown", 5, 2000), ("latencyUp", 1, 2000), ("kbpsDown", 200, 20_000),
                             ("kbpsUp", 50, 20_000), ("lossDown", 0, 5), ("lossUp", 0, 5), ("roundTrip", 0, 1000)):
        value = average(last, key)
        check(value is not None and least <= value <= most, f"{key} is {text(value)}")
    check(any(second["latencyDownMeasured"] for second in last), "the latency of the film is measured, not estimated")
    check(stats["total"]["freezesDown"] is not None, f"freezes are counted: {stats['total']}")
    check((stats["firstPictureMs"] or 1e9) < 10_000, f"first picture {text(stats['firstPictureMs'])} ms after the offer")
    check(page.run("document.getElementById('remote').muted") is False, "the sound is on")
    page.run("document.querySelector('details').open = true")
    check(page.until("document.querySelectorAll('#numbers tr').length > 10", 5), "all numbers can be seen")
    page.run("document.querySelector('details').open = false")
    painted = page.run("""[...document.querySelectorAll('.tile canvas')].map(canvas => {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const colours = new Set();
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) colours.add(data[i] >> 4 << 8 | data[i + 1] >> 4 << 4 | data[i + 2] >> 4);
        return [colours.size, canvas.getAttribute('aria-label')];
    })""")
    check(len(painted) == 4 and all(colours > 4 for colours, _ in painted), f"four curves are drawn: {painted}")
    others = [url for _, _, url in page.requests if not url.startswith((server.address + "/", "blob:", "data:"))]
    check(not others, f"no request went to another host: {others}")
    check(len(page.requests) > before + 10, "Petrel's numbers are asked for once a second")


def sliders(server, page):
    def move(name, value):
        page.run(f"(e => (e.value = {value}, e.dispatchEvent(new Event('input', {{bubbles: true}}))))"
                 f"(document.getElementById('{name}'))")

    def link():
        return json.loads(server.ask("/link"))

    check(page.run("document.getElementById('link').checkVisibility()"), "the sliders are there with --link")
    move("loss", 30)
    check(wait_for(lambda: link()["ab"]["loss"] == 30 and link()["ba"]["loss"] == 30, 2), "30 % loss acts both ways")
    time.sleep(7)
    last = page.stats()["history"][-4:]
    lost = average(last, "lossDown"), average(last, "lossUp")
    check(all(value is not None and 15 < value < 50 for value in lost), f"loss is {text(lost[0])} % and {text(lost[1])} %")
    page.click("#presets button:first-child")
    check(wait_for(lambda: link()["ab"]["loss"] == 0 and link()["ba"]["loss"] == 0, 2), "Clean makes it clean")
    page.run("document.querySelector('[name=way][value=ba]').click()")
    move("delay", 200)
    check(wait_for(lambda: link()["ba"]["delay"] == 200 and link()["ab"]["delay"] == 0, 2), "one direction alone")
    time.sleep(5)
    far = average(page.stats()["history"][-2:], "roundTrip")
    check(far is not None and far > 150, f"with 200 ms the round trip is {text(far)} ms")
    move("rate", 0)
    check(wait_for(lambda: link()["ba"]["rate"] == 100, 2), "the rate acts")
    page.run("document.querySelector('[name=way][value=both]').click()")
    page.click("#presets button:first-child")
    check(wait_for(lambda: link()["ba"]["rate"] is None and link()["ba"]["delay"] == 0, 2), "and no limit again")


def phone(page):
    for state in ("in a call", "before a call"):
        if state == "before a call":
            page.run("petrel.stop()")
        for dark in (False, True):
            page.size(360, 740, dark)
            time.sleep(0.5)
            check(page.overflow() <= 0, f"360 pixels wide, {state}, {'dark' if dark else 'light'}: no sideways scrolling")
    dark = page.run("getComputedStyle(document.body).backgroundColor")
    page.size(1280, 800)
    light = page.run("getComputedStyle(document.body).backgroundColor")
    check(dark != light, f"dark ({dark}) and light ({light}) differ")


def controls(server, page):
    check(page.start("{media: 'film', camera: 'drawn', width: 640, height: 360}") == "connected", "a call with a drawn picture")
    time.sleep(6)
    page.click("#mute")
    check(page.run("document.getElementById('mute').getAttribute('aria-pressed')") == "true", "Mute is pressed")
    page.click("#mute")
    page.click("#camera-off")
    time.sleep(6)
    off = average(page.stats()["history"][-2:], "kbpsUp")
    check(page.run("document.getElementById('self').innerText").strip() == "Camera off", "the page says that the camera is off")
    page.click("#camera-off")
    time.sleep(8)
    again = page.stats()["history"][-3:]
    check((average(again, "kbpsUp") or 0) > 2 * (off or 1e9),
          f"camera off sends {text(off)} kbit/s, on again {text(average(again, 'kbpsUp'))}")
    check((average(again, "fpsUp") or 0) > 10, f"Petrel gets pictures again, {text(average(again, 'fpsUp'))} a second")
    check(page.run("petrel.restart()") is True, "ICE restarts by PATCH")
    time.sleep(4)
    fps = average(page.stats()["history"][-2:], "fpsDown")
    check(page.run("petrel.state") == "connected" and (fps or 0) > 5, f"the call goes on after it, {text(fps)} fps")
    page.click("#hangup")
    check(page.until("petrel.state === 'idle'", 5) and wait_for(lambda: server.peers() == 0, 5), "Hang up ends it at Petrel")
    check(page.run("document.activeElement.id") == "go" and not page.shown(), "the focus goes back to Call")


def echo(server, browser):
    page = browser.page()
    page.size(1280, 800)
    page.open(server.address + "/")
    check(page.start("{media: 'echo'}") == "connected", "an echo call")
    time.sleep(10)
    green = page.run("""(() => {
        const video = document.getElementById('remote'), canvas = document.createElement('canvas'), g = canvas.getContext('2d');
        canvas.width = canvas.height = 16;
        g.drawImage(video, video.videoWidth * .1, video.videoHeight * .3, 16, 16, 0, 0, 16, 16);
        return [...g.getImageData(8, 8, 1, 1).data];
    })()""")
    check(green[1] > 60 and green[1] > 2 * max(green[0], green[2]), f"the fake camera's green comes back: {green}")
    fps = average(page.stats()["history"][-3:], "fpsDown")
    check((fps or 0) > min(15, arguments.least_fps), f"the echo has {text(fps)} pictures a second")
    check(page.start("{media: 'echo', camera: 'drawn', width: 640, height: 360}") == "connected", "an echo of a drawn picture")
    time.sleep(8)
    way = average(page.stats()["history"][-3:], "thereAndBack")
    check(way is not None and 5 < way < 3000, f"the picture's way there and back is measured: {text(way)} ms")
    check(server.peers() == 1, "a new call ends the old one")
    page.close()
    check(wait_for(lambda: server.peers() == 0, 5), "a closed tab ends the call at once")


def sentences(server, browser):
    """Each thing that can go wrong has its sentence."""
    def sees(page, kind, words, options="{camera: 'none'}", seconds=60):
        result = page.start(options, seconds)
        says = page.shown()
        check(result.startswith(kind + ": ") and words in says, f"{kind}: {says.split(chr(10))[0]} ({result[:60]})")
        check(page.run("document.activeElement.id") == "problem-title" and page.run("petrel.stats().problem") == kind,
              f"{kind}: has the focus")

    # Media
    bare = Browser()
    page = bare.page()
    page.open(server.address + "/")
    sees(page, "no-camera", "Plug in a camera", "{}")
    page.size(360, 740)
    check(page.overflow() <= 0, "a sentence at 360 pixels: no sideways scrolling")
    page.click("[data-action=none]")
    check(page.until("petrel.state === 'connected'", 30), "without a camera one can only watch")
    page.run("petrel.stop()")
    bare.command("Browser.setPermission", permission={"name": "camera"}, setting="denied", origin=server.address)
    bare.close()

    refusing = Browser("--use-fake-device-for-media-stream")
    page = refusing.page()
    page.open(server.address + "/")
    for name in ("camera", "microphone"):
        refusing.command("Browser.setPermission", permission={"name": name}, setting="denied", origin=server.address)
    sees(page, "refused", "Allow both", "{}")
    page.click("[data-action=drawn]")
    check(page.until("petrel.state === 'connected'", 30), "without permission one can send a test picture")
    page.run("petrel.stop()")
    refusing.close()

    page = browser.page("""navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException('Could not start video source', 'NotReadableError'))""")
    page.open(server.address + "/")
    sees(page, "in-use", "close that program", "{}")
    page.close()
    page = browser.page("""Object.defineProperty(navigator, 'mediaDevices', {value: undefined});
        Object.defineProperty(window, 'isSecureContext', {value: false})""")
    page.open(server.address + "/")
    sees(page, "insecure", "https", "{}")
    page.close()
    page = browser.page("delete window.RTCPeerConnection")
    page.open(server.address + "/")
    sees(page, "no-webrtc", "WebRTC")
    page.close()

    # Signalling
    page = browser.page()
    page.open(server.address + "/")
    for status, kind, words, body in ((422, "offer", "Petrel says: the offer", "the offer has no codec of ours"),
                                      (500, "server", "terminal of petrel-server", "out of memory"),
                                      (404, "no-call", "no /call", "nothing is here"),
                                      (503, "full", "wait until one ends", "no place for another peer")):
        page.answer_with({"urlPattern": "*/call?*"}, lambda event, status=status, body=body: page.command(
            "Fetch.fulfillRequest", requestId=event["requestId"], responseCode=status,
            body=base64.b64encode(body.encode()).decode()))
        sees(page, kind, words)

    def unreachable(event):
        body = page.command("Fetch.getResponseBody", requestId=event["requestId"])
        sdp = base64.b64decode(body["body"]).decode() if body["base64Encoded"] else body["body"]
        sdp = re.sub(r"(a=candidate:\S+ \d \S+ \d+) \S+ \d+", r"\1 192.0.2.1 9", sdp)
        page.command("Fetch.fulfillRequest", requestId=event["requestId"], responseCode=201,
                     responseHeaders=event["responseHeaders"], body=base64.b64encode(sdp.encode()).decode())

    page.answer_with({"urlPattern": "*/call?*", "requestStage": "Response"}, unreachable)
    sees(page, "failed", "UDP may be blocked")
    page.command("Fetch.disable")

    # The other side
    check(page.start("{camera: 'none'}") == "connected", "a call that Petrel will end")
    time.sleep(2)
    place = next(url for _, method, url in reversed(page.requests) if url.endswith("/statistics"))
    server.ask(place[len(server.address):-len("/statistics")], "DELETE")
    check(page.until("petrel.stats().problem === 'ended'", 10), f"ended: {page.shown().split(chr(10))[0]}")
    check(page.start("{camera: 'none'}") == "connected", "a call whose server goes")
    server.kill()
    check(page.until("petrel.stats().problem === 'gone'", 15), f"gone: {page.shown().split(chr(10))[0]}")
    sees(page, "gone", "petrel-server still runs")
    page.close()


def tokens(browser):
    server = Server("--token", "a-secret", "--max-peers", "1")
    page = browser.page()
    page.open(server.address + "/")
    page.run("void petrel.start({camera: 'none'}).catch(() => {})")
    check(page.until("document.getElementById('token').open", 10), "a token is asked for")
    page.run("document.getElementById('token-value').value = 'wrong'; document.querySelector('#token .yes').click()")
    check(page.until("document.getElementById('token').open && document.getElementById('token-text').textContent.includes('not right')", 10),
          "a wrong token is asked for again")
    page.run("document.querySelector('#token [value=cancel]').click()")
    check(page.until("petrel.stats().problem === 'token'", 10), f"token: {page.shown().split(chr(10))[0]}")
    page.open(server.address + "/?again#token=a-secret")
    check(page.start("{camera: 'none'}") == "connected", "the token of the address is taken")
    check("secret" not in page.run("location.href"), "and does not stay in the address")
    check(page.until("document.getElementById('no-link').checkVisibility()", 5), "without --link the page says how to get it")
    other = browser.page()
    other.open(server.address + "/?other#token=a-secret")
    result = other.start("{camera: 'none'}")
    check(result.startswith("full: "), f"too many calls: {other.shown().split(chr(10))[0]} ({result[:40]})")
    other.close()
    page.close()
    check(server.stop() == 0, "the server ends with exit code 0")


PUBLISH = """(async () => {
    const post = async (connection, path) => {
        await connection.setLocalDescription(await connection.createOffer());
        while (connection.iceGatheringState !== 'complete') await new Promise(done => setTimeout(done, 50));
        const answer = await fetch(path, {
            method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: connection.localDescription.sdp});
        const sdp = await answer.text();
        if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${sdp}`);
        await connection.setRemoteDescription({type: 'answer', sdp});
        return {place: answer.headers.get('Location'), sdp};
    };
    const media = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
    window.published = new RTCPeerConnection();
    for (const track of media.getTracks()) published.addTransceiver(track, {direction: 'sendonly', streams: [media]});
    const there = await post(published, '/whip/browser');
    window.watched = new RTCPeerConnection();
    for (const kind of ['audio', 'video']) watched.addTransceiver(kind, {direction: 'recvonly'});
    const back = await post(watched, '/whep/browser');
    return {places: [there.place, back.place], isLite: there.sdp.includes('a=ice-lite'), isFull: !back.sdp.includes('a=ice-lite')};
})()"""
WATCHED = """(async () => {
    let [pictures, packets] = [0, 0];
    for (const report of (await watched.getStats()).values()) {
        if (report.type === 'inbound-rtp' && report.kind === 'video') pictures = report.framesDecoded;
        if (report.type === 'inbound-rtp' && report.kind === 'audio') packets = report.packetsReceived;
    }
    return [pictures, packets, published.connectionState, watched.connectionState];
})()"""


def streams(browser):
    """A browser publishes by WHIP and watches itself by WHEP, with and without the relay in between."""
    for options in ((), ("--link", "delay=5")):
        server = Server(*options)
        page = browser.page()
        page.open(server.address + "/")
        made = page.run(PUBLISH)
        check(made["isLite"] and made["isFull"], "a publisher is met by ICE-lite, and nobody else")
        time.sleep(12)
        pictures, packets, *states = page.run(WATCHED)
        check(states == ["connected", "connected"], f"published and watched: {states}")
        check(pictures > 60 and packets > 300, f"a browser publishes, and sees {pictures} pictures and {packets} packets of sound of it")
        for place in reversed(made["places"]):  # A stream ends with its publisher.
            server.ask(place, "DELETE")
        check(wait_for(lambda: server.peers() == 0, 5), "both end")
        page.close()
        check(server.stop() == 0, "and so does the server")


def take_pictures(server, browser, folder):
    os.makedirs(folder, exist_ok=True)
    page = browser.page()
    page.size(1280, 800)
    page.open(server.address + "/")
    check(page.start("{media: 'film', camera: 'drawn', width: 640, height: 360}") == "connected", "a call to be pictured")
    time.sleep(32)
    page.run("petrel.link({loss: 10}, {loss: 10})")
    time.sleep(14)
    page.run("petrel.link({loss: 0}, {loss: 0})")
    time.sleep(16)
    page.run("document.activeElement.blur()")
    page.picture(os.path.join(folder, "page.png"))
    page.size(360, 740, scale=2)
    time.sleep(2)
    page.picture(os.path.join(folder, "page-phone.png"))
    for name in ("page.png", "page-phone.png"):
        size = os.path.getsize(os.path.join(folder, name))
        check(size < 300_000, f"{name} has {size} bytes")
    page.close()


server = Server("--link", "delay=0")
browser = Browser(*Browser.camera)
try:
    if arguments.pictures:
        take_pictures(server, browser, arguments.pictures)
        server.stop()
    else:
        page = loads_in_one_request(server, browser)
        film(server, page)
        sliders(server, page)
        phone(page)
        controls(server, page)
        check(not page.exceptions, f"no script went wrong: {page.exceptions[:1]}")
        page.close()
        echo(server, browser)
        sentences(server, browser)
        tokens(browser)
        streams(browser)
finally:
    browser.close()
    server.kill()
if failures:
    sys.exit(f"{len(failures)} checks of the page failed")
print("petrel-server's page: all checks passed")
