"""The web server of the rig: the page and the film go out, what a browser saw and heard comes in."""
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

import checks
import media

HERE = os.path.dirname(os.path.abspath(__file__))


class RigServer:
    """Serves on a free port of 127.0.0.1. Uploads land in the folder that `folder(name)` made for a browser."""

    def __init__(self):
        rig = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _send(self, code, kind, body, more=()):
                self.send_response(code)
                for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))),
                                    ("Cross-Origin-Opener-Policy", "same-origin"),
                                    ("Cross-Origin-Embedder-Policy", "require-corp"), *more):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path.startswith("/page/"):
                    with open(os.path.join(HERE, "page.html"), "rb") as file:
                        self._send(200, "text/html; charset=utf-8", file.read())
                elif self.path == "/film.webm":
                    self._film(media.webm())
                else:
                    self._send(404, "text/plain", b"")

            def _film(self, path):
                size = os.path.getsize(path)
                wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                first = int(wanted.group(1)) if wanted else 0
                last = min(int(wanted.group(2)) if wanted and wanted.group(2) else size - 1, size - 1)
                with open(path, "rb") as file:
                    file.seek(first)
                    body = file.read(last - first + 1)
                more = [("Accept-Ranges", "bytes")]
                if wanted:
                    more.append(("Content-Range", f"bytes {first}-{last}/{size}"))
                try:
                    self._send(206 if wanted else 200, "video/webm", body, more)
                except ConnectionError:
                    pass  # A browser that seeks lets go of what it asked for.

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                place = re.search(r"/page/(\w+)", self.headers.get("Referer", ""))
                name = self.path.removeprefix("/upload/")
                folder = rig.folders.get(place.group(1)) if place else None
                if folder is None or not re.fullmatch(r"[\w.]+", name):
                    return self._send(404, "text/plain", b"")
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(body)
                self._send(200, "text/plain", b"")

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # A browser that ends lets go of its connections.

        self.folders = {}
        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, name, folder):
        """The address of a page whose uploads land in `folder`."""
        os.makedirs(folder, exist_ok=True)
        self.folders[name] = folder
        return f"http://127.0.0.1:{self.server.server_port}/page/{name}"

    def film(self):
        return f"http://127.0.0.1:{self.server.server_port}/film.webm"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def _even_clock(rows):
    """Rows of (sample index, wall) without the delays of the page's thread: samples come at an even pace, and a message
    is never early. The smallest wall time over two seconds is the truth."""
    rows = np.asarray(rows, dtype=float).reshape(-1, 2)
    if not len(rows):
        return rows
    excess = rows[:, 1] - rows[:, 0] * 1000 / checks.RATE
    span = max(1, int(np.searchsorted(rows[:, 0], rows[0, 0] + 2 * checks.RATE)))
    low = np.array([excess[max(0, index - span // 2):index + span // 2 + 1].min() for index in range(len(excess))])
    return np.column_stack([rows[:, 0], low + rows[:, 0] * 1000 / checks.RATE])


def load_browser(folder):
    """What a browser saw and heard, as `checks.Side`, and everything else that its page told (a dictionary)."""
    with open(os.path.join(folder, "index.json")) as file:
        index = json.load(file)

    def video(key):
        tracks = index["video"].get(key, [])
        rows = sorted((row for track in tracks for row in track), key=lambda row: row[0])
        return checks.pictures(rows)

    def sound(key):
        tracks = index["audio"].get(key, [])
        pieces = []
        for number, track in enumerate(tracks):
            pcm = np.fromfile(os.path.join(folder, f"{key}_{number}.s16"), dtype="<i2")
            piece = checks.sound(pcm, _even_clock(track["rows"]))
            if piece is not None:
                pieces.append(piece)
        # A track that was taken away and came back: the longest one is judged here.
        return max(pieces, key=lambda piece: len(piece.samples), default=None)

    side = checks.Side(video("sent_video"), video("received_video"), sound("sent_audio"), sound("received_audio"),
                       index["milestones"], index["stats"])
    return side, index
