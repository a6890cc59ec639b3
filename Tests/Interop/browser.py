"""What Chromium and Firefox have in common: a process with a page, and JavaScript run in it."""
import json
import os
import shutil
import signal
import subprocess
import tempfile


class BrowserError(Exception):
    """The browser is not there, does not answer, or its page threw an error."""


class Browser:
    """A headless browser with one page of the rig. Subclasses launch it and run JavaScript."""

    name = "browser"
    programs = ()

    def __init__(self, server, tag, folder, log=None):
        self.server, self.tag, self.folder = server, tag, os.path.abspath(folder)
        self.address = server.page(tag, self.folder)
        self.profile = tempfile.mkdtemp(prefix=f"petrel-{self.name.lower()}-")
        self._log = open(log or os.path.join(self.folder, "browser.log"), "w")
        self.process = None

    def __enter__(self):
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @classmethod
    def program(cls):
        for name in cls.programs:
            if path := shutil.which(name):
                return path
        raise BrowserError(f"{cls.name} is not installed ({cls.programs[0]}): run Scripts/setup.sh test")

    @classmethod
    def version(cls):
        text = subprocess.run([cls.program(), "--version"], capture_output=True, text=True, timeout=60).stdout
        return next((word for word in text.split() if word[0].isdigit()), text.strip())

    def open(self):
        raise NotImplementedError

    def run(self, body, seconds=40):
        """Runs the body of an async function in the page. Returns what it returns, as JSON has it."""
        raise NotImplementedError

    def rig(self, function, *arguments, seconds=40):
        """Calls a function of the page's rig and waits for what it promises."""
        return self.run(f"return await rig.{function}({', '.join(json.dumps(item) for item in arguments)})", seconds)

    def source(self):
        """What `rig.prepare` takes to send the film and the speech."""
        return {}

    def hang_up(self):
        """Closes the connection, as a page does that is done with a call."""
        self.run("rig.pc.close()")

    def vanish(self):
        """Ends the browser as a crash would: nobody is told."""
        self._signal(signal.SIGKILL)

    def close(self):
        if self.process and self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self._signal(signal.SIGKILL)
        if self.process:
            self.process.wait()
        self._log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _launch(self, command, **more):
        environment = dict(os.environ, HOME=self.profile, **more.pop("env", {}))
        # A session of its own, so that all its processes can be ended together and no others.
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                                        start_new_session=True, env=environment, **more)

    def _signal(self, number):
        if self.process:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
