"""What the peers of other stacks have in common: they take the messages of `petrel peer --stdio` on standard input, answer
them in the same form on standard output, and write the same files (docs/use.md, "The scriptable peer"). So a test drives
any two stacks alike and judges them by the same measure. Plain Python without packages: it runs under the system's
interpreter as well as in the project's own environment."""
import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
import wave

MODULUS = 1024  # of the stamp's counter


def wall():
    """The system clock in milliseconds."""
    return time.time() * 1000


def say(**message):
    """One whole line on standard output."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def lines():
    """The messages on standard input, one JSON object a line; what is none is complained of."""
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            message = json.loads(line)
            message["type"]
        except (ValueError, KeyError, TypeError):
            say(type="error", message=f"not a JSON object with a type: {line[:80]!r}")
            continue
        yield message


# The stamp: the top fifteenth of the picture, 24 blocks: white, black, the counter's 10 bits (most significant first,
# white = 1), the same bits inverted, black, white.


def stamp_row(counter, width):
    bits = [counter >> (9 - i) & 1 for i in range(10)]
    blocks = [1, 0] + bits + [1 - bit for bit in bits] + [0, 1]
    row = bytearray(width)
    for x in range(width):
        row[x] = 235 if blocks[x * 24 // width] else 16
    return bytes(row)


def read_stamp(luma, stride, width, height):
    """The counter in the picture, or None. `luma` holds rows of `stride` bytes."""
    y = height // 15 // 2
    values = []
    for block in range(24):
        x = (2 * block + 1) * width // 48
        values.append(luma[y * stride + x])
    low, high = min(values), max(values)
    if high - low < 60:
        return None
    bits = [1 if 2 * value > low + high else 0 for value in values]
    if bits[:2] != [1, 0] or bits[22:] != [0, 1]:
        return None
    if any(bits[2 + i] == bits[12 + i] for i in range(10)):
        return None
    return sum(bit << (9 - i) for i, bit in enumerate(bits[2:12]))


class Film:
    """Pictures of a file as I420 with stamps, by number and without end. A file that brings its stamps keeps them."""

    def __init__(self, path, width, height):
        self.width, self.height = width, height
        self.size = width * height * 3 // 2
        self.file = tempfile.TemporaryFile(prefix="petrel-film-")
        source = ["-i", path] if path else ["-f", "lavfi", "-t", "5", "-i", f"testsrc2=s={width}x{height}:r=25"]
        subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error", *source, "-map", "0:v:0", "-vf", f"scale={width}:{height}",
             "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"],
            stdout=self.file, stdin=subprocess.DEVNULL, check=True)
        self.pictures = os.fstat(self.file.fileno()).st_size // self.size
        if self.pictures == 0:
            raise ValueError(f"no picture in {path}")
        self.bytes = memoryview(mmap.mmap(self.file.fileno(), self.pictures * self.size, access=mmap.ACCESS_READ))
        self.is_stamped = read_stamp(self.bytes, width, width, height) is not None
        self.rows = {}

    def __getitem__(self, counter):
        start = counter % self.pictures * self.size
        picture = self.bytes[start:start + self.size]
        if self.is_stamped:
            return bytes(picture)
        stamp = counter % MODULUS
        if stamp not in self.rows:
            self.rows[stamp] = stamp_row(stamp, self.width) * (self.height // 15)
        top = self.rows[stamp]
        return b"".join((top, picture[len(top):]))


class Speech:
    """Mono sound of a 48 kHz WAV file, without end."""

    def __init__(self, path):
        with wave.open(path) as file:
            if file.getframerate() != 48000 or file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise ValueError(f"{path} is not 48 kHz, mono, 16 bits")
            self.bytes = file.readframes(file.getnframes())
        self.position = 0

    def read(self, samples):
        part = self.bytes[self.position:self.position + 2 * samples]
        self.position += len(part)
        if len(part) < 2 * samples:
            self.position = 2 * samples - len(part)
            part += self.bytes[:self.position]
        return part


class Folder:
    """The files of the scriptable peer."""

    def __init__(self, path):
        os.makedirs(path, exist_ok=True)
        self.path = path
        self.lock = threading.Lock()
        self.sent_video, self.recv_video = self.open("sent_video.csv"), self.open("recv_video.csv")
        self.sound = {}
        for name in ("sent", "recv"):
            self.sound[name] = [self.open(name + "_audio.s16", "wb"), self.open(name + "_audio.csv"), 0, -4800]
        self.events, self.last_shot, self.last_counter = {}, 0, None
        self.statistics = []
        self.is_open = True

    def open(self, name, mode="w"):
        return open(os.path.join(self.path, name), mode)

    def event(self, name, at=None):
        with self.lock:
            self.events.setdefault(name, at or wall())

    def video_sent(self, counter, width, height, at=None):
        with self.lock:
            if self.is_open:
                self.sent_video.write(f"{at or wall():.3f},{counter},{width},{height}\n")

    def video_received(self, luma, stride, width, height):
        """Notes a decoded picture. Its counter is counted on over the wrap of the stamp."""
        now = wall()
        stamp = read_stamp(luma, stride, width, height)
        with self.lock:
            if not self.is_open:
                return
            counter = -1
            if stamp is not None:
                ahead = 0 if self.last_counter is None else (stamp - self.last_counter + 512) % MODULUS - 512
                counter = stamp if self.last_counter is None else self.last_counter + ahead
                self.last_counter = counter
            self.recv_video.write(f"{now:.3f},{counter},{width},{height}\n")
            if now - self.last_shot < 2000:
                return
            self.last_shot = now
            rows = luma if stride == width else b"".join(
                bytes(luma[y * stride:y * stride + width]) for y in range(height))
            with self.open(f"shot_{now:.0f}_{counter}_{width}x{height}.y", "wb") as file:
                file.write(rows[:width * height])

    def audio(self, name, samples, at=None):
        """Notes sound: 'sent' or 'recv', 16-bit samples, and when the first of them was taken or played."""
        at = at or wall()
        with self.lock:
            if not self.is_open:
                return
            sound = self.sound[name]
            sound[0].write(samples)
            if sound[2] - sound[3] >= 4800:
                sound[1].write(f"{sound[2]},{at:.3f}\n")
                sound[3] = sound[2]
            sound[2] += len(samples) // 2

    def finish(self):
        with self.lock:
            self.is_open = False
            for file in [self.sent_video, self.recv_video] + [part for s in self.sound.values() for part in s[:2]]:
                file.close()
            with self.open("events.json") as file:
                json.dump({key: self.events.get(key) for key in (
                    "ice_connected", "conn_connected", "firstAudioPkt", "firstVideoPkt")}, file)
            with self.open("stats.json") as file:
                json.dump(self.statistics, file)
