"""Headless Chromium, driven by its DevTools protocol over a pipe. Film and speech come from its fake devices."""
import json
import os
import select
import time

import media
from browser import Browser, BrowserError


class Chromium(Browser):
    name = "Chromium"
    programs = ("chromium", "chromium-browser", "google-chrome")

    def open(self):
        video, self.pictures = media.y4m()
        command_in, self._to = os.pipe()
        self._from, command_out = os.pipe()

        def place():
            # The protocol's pipes are descriptors 3 and 4; first out of each other's way.
            first, second = os.dup(command_in), os.dup(command_out)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._launch(
            [self.program(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile}",
             "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
             "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
             "--disable-backgrounding-occluded-windows", "--autoplay-policy=no-user-gesture-required",
             "--allow-loopback-in-peer-connection", "--use-fake-ui-for-media-stream",
             "--use-fake-device-for-media-stream=fps=25", f"--use-file-for-fake-video-capture={video}",
             f"--use-file-for-fake-audio-capture={media.SPEECH}", "about:blank"],
            preexec_fn=place, close_fds=False)
        os.close(command_in)
        os.close(command_out)
        self._buffer, self._number, self._answers, self.console = b"", 0, {}, []
        target = None
        end = time.monotonic() + 60
        while target is None and time.monotonic() < end:
            infos = self._command("Target.getTargets", seconds=60)["targetInfos"]
            target = next((info["targetId"] for info in infos if info["type"] == "page"), None)
            if target is None:
                time.sleep(0.05)
        if target is None:
            raise BrowserError("Chromium opened no page")
        self.target = target
        self.session = self._command("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self._command("Page.enable", session=self.session)
        self._command("Runtime.enable", session=self.session)
        self._command("Page.navigate", {"url": self.address}, session=self.session)
        while time.monotonic() < end:
            if self.run("return document.readyState === 'complete' && typeof rig") == "object":
                return
            time.sleep(0.05)
        raise BrowserError("Chromium did not load the page")

    def source(self):
        return {"source": "camera"}

    @property
    def modulus(self):
        """After how many pictures their stamps begin again."""
        return self.pictures

    def run(self, body, seconds=40):
        answer = self._command(
            "Runtime.evaluate",
            {"expression": f"(async () => {{ {body} }})()", "awaitPromise": True, "returnByValue": True,
             "userGesture": True}, session=self.session, seconds=seconds)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(f"Chromium: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    def close_tab(self):
        """Closes the page, as a person does."""
        self._command("Target.closeTarget", {"targetId": self.target})

    # MARK: The DevTools protocol: JSON objects, each ended by a zero byte

    def _command(self, method, parameters=None, session=None, seconds=30):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        try:
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self._to, data):]
        except BrokenPipeError:
            raise BrowserError(f"Chromium has ended: {self._tail()}") from None
        end = time.monotonic() + seconds
        while number not in self._answers:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise BrowserError(f"Chromium does not answer {method} within {seconds} s")
            block = os.read(self._from, 1 << 16)
            if not block:
                raise BrowserError(f"Chromium has ended: {self._tail()}")
            self._buffer += block
            *whole, self._buffer = self._buffer.split(b"\0")
            for text in whole:
                entry = json.loads(text)
                if "id" in entry:
                    self._answers[entry["id"]] = entry
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"Chromium: {method}: {answer['error'].get('message')}")
        return answer["result"]

    def _tail(self):
        self._log.flush()
        with open(self._log.name) as file:
            return " | ".join(file.read().strip().splitlines()[-3:])

    def close(self):
        super().close()
        for name in ("_to", "_from"):
            if (descriptor := getattr(self, name, None)) is not None:
                os.close(descriptor)
                setattr(self, name, None)
