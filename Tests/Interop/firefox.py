"""Headless Firefox, driven by its Marionette protocol. It has no fake camera that plays a file: the film is a WebM that
a video element plays into mozCaptureStream."""
import json
import os
import shutil
import socket
import subprocess
import time

import checks
import media
from browser import Browser, BrowserError

PREFERENCES = {
    "marionette.port": 0,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.autoplay.block-webaudio": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
    # Nothing from the network but the rig's own page.
    "media.gmp-manager.url": "",
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    # Timers at full pace though nobody looks.
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
    "privacy.reduceTimerPrecision": False,
    "widget.disable_native_theme_for_content": True,
}


class Firefox(Browser):
    name = "Firefox"
    programs = ("firefox-esr", "firefox")
    modulus = checks.MODULUS

    def open(self):
        media.webm()
        with open(os.path.join(self.profile, "user.js"), "w") as file:
            for name, value in PREFERENCES.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        self._socket, self._number = None, 0
        sound = self._sound_server()
        self._launch([self.program(), "--headless", "--marionette", "--no-remote", "--profile", self.profile],
                     env={"MOZ_HEADLESS_WIDTH": "1366", "MOZ_HEADLESS_HEIGHT": "768", "MOZ_CRASHREPORTER_DISABLE": "1",
                          "PULSE_SERVER": f"unix:{sound}", "XDG_RUNTIME_DIR": self.profile})
        end = time.monotonic() + 90
        place = os.path.join(self.profile, "MarionetteActivePort")
        while not (os.path.exists(place) and os.path.getsize(place)):
            if self.process.poll() is not None or time.monotonic() > end:
                raise BrowserError("Firefox did not open its Marionette port")
            time.sleep(0.1)
        with open(place) as file:
            port = int(file.read())
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._buffer = b""
        self._read_message(60)  # Its greeting.
        self._command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}}, 60)
        self._command("WebDriver:SetTimeouts", {"script": 120_000, "pageLoad": 60_000})
        self._command("WebDriver:Navigate", {"url": self.address}, 60)

    def _sound_server(self):
        """Firefox's audio graph needs a device to be clocked by: one that swallows everything, for this Firefox alone.
        Returns the path of its socket."""
        program = shutil.which("pulseaudio")
        if program is None:
            raise BrowserError("pulseaudio is not installed, and Firefox plays nothing without it: run Scripts/setup.sh test")
        place = os.path.join(self.profile, "sound.socket")
        self._pulse = subprocess.Popen(
            [program, "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm",
             "-L", "module-null-sink sink_name=nothing rate=48000 channels=2",
             "-L", f"module-native-protocol-unix auth-anonymous=1 socket={place}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            env=dict(os.environ, HOME=self.profile, XDG_RUNTIME_DIR=self.profile))
        end = time.monotonic() + 20
        while not os.path.exists(place):
            if self._pulse.poll() is not None or time.monotonic() > end:
                raise BrowserError(f"pulseaudio did not start: {self._log.name}")
            time.sleep(0.05)
        return place

    def source(self):
        return {"source": "film", "url": self.server.film()}

    def run(self, body, seconds=40):
        script = f"""const done = arguments[arguments.length - 1];
            (async () => {{ {body} }})().then(value => done({{value: value === undefined ? null : value}}),
                                             error => done({{error: String(error && error.stack || error)}}));"""
        # The page's own globals, not copies of them.
        answer = self._command("WebDriver:ExecuteAsyncScript",
                               {"script": script, "args": [], "sandbox": None, "scriptTimeout": int(seconds * 1000)},
                               seconds + 5)["value"]
        if "error" in answer:
            raise BrowserError(f"Firefox: {answer['error']}")
        return answer["value"]

    def close_tab(self):
        """Closes the page, as a person does; Firefox itself lives on with another one."""
        self._command("WebDriver:NewWindow", {"type": "tab"})
        self._command("WebDriver:CloseWindow")

    # MARK: The Marionette protocol: the length in decimal, a colon, a JSON list

    def _command(self, name, parameters=None, seconds=30):
        self._number += 1
        data = json.dumps([0, self._number, name, parameters or {}]).encode()
        try:
            self._socket.sendall(str(len(data)).encode() + b":" + data)
            while True:
                kind, number, error, result = self._read_message(seconds)
                if kind == 1 and number == self._number:
                    break
        except OSError as error:
            raise BrowserError(f"Firefox does not answer {name}: {error}") from None
        if error:
            raise BrowserError(f"Firefox: {name}: {error.get('message')}")
        return result

    def _read_message(self, seconds):
        self._socket.settimeout(seconds)
        while b":" not in self._buffer:
            self._receive()
        length, self._buffer = self._buffer.split(b":", 1)
        while len(self._buffer) < int(length):
            self._receive()
        text, self._buffer = self._buffer[:int(length)], self._buffer[int(length):]
        return json.loads(text)

    def _receive(self):
        block = self._socket.recv(1 << 16)
        if not block:
            raise OSError("it has ended")
        self._buffer += block

    def close(self):
        if getattr(self, "_socket", None):
            self._socket.close()
            self._socket = None
        if getattr(self, "_pulse", None):
            self._pulse.terminate()
            self._pulse.wait()
            self._pulse = None
        super().close()
