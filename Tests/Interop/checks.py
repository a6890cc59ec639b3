"""What was really seen and heard: stamps read back from pictures, speech found again in sound.

Everything works on plain arrays, so that each end of a call is judged in the same way: rows of (wall ms, counter) for
pictures, mono samples with wall times for sound. `load_peer` reads them from the folder of a Petrel peer.
"""
import json
import os
from dataclasses import dataclass, field

import numpy as np

# The stamp in the picture (docs/use.md): 24 blocks along the top, height/15 high.
BITS = 10
MODULUS = 1 << BITS
BLOCKS = 2 * BITS + 4
RATE = 48_000


# MARK: Stamps

def stamp_levels(luma):
    """The mean luma of the middle of each of the 24 blocks of a picture (2-D array of luma)."""
    height, width = luma.shape
    rows = max(1, height // 15)
    strip = luma[rows // 4:max(rows // 4 + 1, rows - rows // 4)]
    levels = []
    for block in range(BLOCKS):
        left, right = block * width // BLOCKS, (block + 1) * width // BLOCKS
        inset = (right - left) // 4
        levels.append(float(strip[:, left + inset:max(left + inset + 1, right - inset)].mean()))
    return levels


def decode_stamp(levels, least_contrast=40):
    """The counter that 24 block levels carry, -1 where they carry none."""
    if len(levels) != BLOCKS or max(levels) - min(levels) < least_contrast:
        return -1
    threshold = (max(levels) + min(levels)) / 2
    bits = [level > threshold for level in levels]
    counter = 0
    for bit in bits[2:2 + BITS]:
        counter = counter << 1 | bit
    return counter if bits == stamp_bits(counter) else -1


def read_stamp(luma):
    """The counter in a picture (2-D array of luma), -1 where there is none to read."""
    return decode_stamp(stamp_levels(luma))


def stamp_bits(counter):
    bits = [bool(counter >> (BITS - 1 - bit) & 1) for bit in range(BITS)]
    return [True, False, *bits, *(not bit for bit in bits), False, True]


def write_stamp(luma, counter, u=None, v=None):
    """Writes a stamp into a picture's luma in place; `u`, `v` (half size) become grey beneath it."""
    height, width = luma.shape
    rows = height // 15
    for block, white in enumerate(stamp_bits(counter % MODULUS)):
        luma[:rows, block * width // BLOCKS:(block + 1) * width // BLOCKS] = 235 if white else 16
    for plane in (u, v):
        if plane is not None:
            plane[:(rows + 1) // 2] = 128


# MARK: What one end saw and heard

@dataclass
class Sound:
    """Mono samples at 48 kHz (float, -1...1), and rows of (index of a sample, its wall time in ms)."""
    samples: np.ndarray
    rows: np.ndarray

    def wall(self, index):
        """The wall time of a sample, in ms."""
        at, walls = self.rows[:, 0], self.rows[:, 1]
        if index >= at[-1]:
            return walls[-1] + (index - at[-1]) * 1000 / RATE
        if index <= at[0]:
            return walls[0] + (index - at[0]) * 1000 / RATE
        return float(np.interp(index, at, walls))


@dataclass
class Side:
    """What one end of a call sent and received. Pictures: arrays of (wall ms, counter, width, height)."""
    sent_video: np.ndarray
    received_video: np.ndarray
    sent_sound: Sound | None
    received_sound: Sound | None
    events: dict = field(default_factory=dict)
    stats: list = field(default_factory=list)


def pictures(rows):
    """An array of (wall ms, counter, width, height) from any rows of at least the first two."""
    array = np.zeros((len(rows), 4))
    for index, row in enumerate(rows):
        array[index, :len(row[:4])] = row[:4]
    return array


def sound(samples, rows):
    """Sound from int16 or float samples and rows of (sample index, wall ms); None where there is none."""
    samples = np.asarray(samples)
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768
    rows = np.asarray(rows, dtype=float).reshape(-1, 2)
    return Sound(samples, rows) if len(samples) and len(rows) else None


def load_peer(folder):
    """What a Petrel peer wrote into its folder."""
    def table(name):
        path = os.path.join(folder, name)
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            return np.zeros((0, 4))
        return np.loadtxt(path, delimiter=",", ndmin=2)

    def pcm(name):
        path = os.path.join(folder, name + ".s16")
        if not os.path.exists(path):
            return None
        return sound(np.fromfile(path, dtype="<i2"), table(name + ".csv"))

    def document(name, otherwise):
        try:
            with open(os.path.join(folder, name)) as file:
                return json.load(file)
        except (OSError, ValueError):
            return otherwise

    return Side(table("sent_video.csv"), table("recv_video.csv"), pcm("sent_audio"), pcm("recv_audio"),
                document("events.json", {}), document("stats.json", []))


# MARK: Pictures, from one end to the other

def match(sent, received, modulus=MODULUS):
    """The latency in ms of each received picture, NaN where its stamp cannot be read or was never sent: it is the
    latest one of that counter that had been sent by then. Unambiguous up to `modulus` pictures of delay."""
    latency = np.full(len(received), np.nan)
    by_counter = {}
    for wall, counter in sent[:, :2]:
        if counter >= 0:
            by_counter.setdefault(int(counter) % modulus, []).append(wall)
    for index, (wall, counter) in enumerate(received[:, :2]):
        walls = by_counter.get(int(counter) % modulus) if counter >= 0 else None
        if not walls:
            continue
        before = [sent_at for sent_at in walls if sent_at <= wall + 20]  # clocks and callbacks are not exact
        if before:
            latency[index] = wall - before[-1]
    return latency


def unwrapped_steps(counters, modulus=MODULUS):
    """Steps from each counter to the next, -modulus/2 ... modulus/2: negative ones go backwards in time."""
    steps = np.diff(np.asarray(counters, dtype=int))
    return (steps + modulus // 2) % modulus - modulus // 2


def video_report(sent, received, modulus=MODULUS, since=None, until=None):
    """Figures of the pictures of one direction. `since`, `until`: wall ms that bound what is judged."""
    if since is not None:
        received = received[received[:, 0] >= since]
    if until is not None:
        received = received[received[:, 0] <= until]
    report = {"frames": int(len(received)), "fps": 0.0, "readable": 0.0, "backward": 0, "repeated": 0, "skipped": 0,
              "width": 0, "height": 0, "latencyP50": None, "latencyP95": None, "growthMs": None, "longestGapMs": None}
    if len(received) < 2:
        return report
    seconds = (received[-1, 0] - received[0, 0]) / 1000
    report["fps"] = round(float((len(received) - 1) / seconds), 2) if seconds > 0 else 0.0
    report["longestGapMs"] = round(float(np.diff(received[:, 0]).max()), 1)
    report["width"], report["height"] = (int(value) for value in received[-1, 2:4])
    readable = received[received[:, 1] >= 0]
    report["readable"] = round(len(readable) / len(received), 4)
    if len(readable) > 1:
        steps = unwrapped_steps(readable[:, 1], modulus)
        report["backward"] = int((steps < 0).sum())
        report["repeated"] = int((steps == 0).sum())
        report["skipped"] = int((steps[steps > 1] - 1).sum())
    latency = match(sent, received, modulus)
    known = ~np.isnan(latency)
    if known.sum() >= 9:
        report["latencyP50"] = round(float(np.percentile(latency[known], 50)), 1)
        report["latencyP95"] = round(float(np.percentile(latency[known], 95)), 1)
        report["growthMs"] = growth(received[known, 0], latency[known])
    return report


def growth(walls, delays):
    """The median delay of the last third of the time less that of the first third."""
    walls, delays = np.asarray(walls), np.asarray(delays)
    third = (walls[-1] - walls[0]) / 3
    first, last = delays[walls <= walls[0] + third], delays[walls >= walls[-1] - third]
    if not len(first) or not len(last):
        return None
    return round(float(np.median(last) - np.median(first)), 1)


# MARK: Sound, from one end to the other

def level_db(samples):
    """The level of samples (-1...1) in dB of full scale, -120 at least."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return round(float(max(-120.0, 10 * np.log10(power + 1e-12))), 1)


def _band(samples, step=6):
    """What lies below 4 kHz, at 8 kHz: where speech has its power, and codecs keep the shape of the wave."""
    taps = np.sinc((np.arange(61) - 30) / step * 0.9) * np.hamming(61)
    return np.convolve(samples, taps / taps.sum(), mode="same")[::step].astype(np.float64)


def audio_report(sent, received, since=None, until=None, window=0.4, longest=3.0, quietest=-50.0):
    """Figures of the sound of one direction: the level, and for windows of `window` seconds that hold sound, how alike
    they are to what was sent (peak of the normalised cross-correlation) and with what delay."""
    report = {"seconds": 0.0, "levelDb": -120.0, "sentLevelDb": -120.0, "windows": 0, "correlation": 0.0,
              "alike": 0.0, "delayP50": None, "growthMs": None}
    if sent is None or received is None:
        return report
    rate = RATE // 6
    begin, end = 0, len(received.samples)
    indices = np.arange(0, len(received.samples), RATE // 100)
    walls = np.array([received.wall(index) for index in indices])
    if since is not None and (walls >= since).any():
        begin = int(indices[np.argmax(walls >= since)])
    if until is not None and (walls > until).any():
        end = int(indices[np.argmax(walls > until)])
    judged = received.samples[begin:end]
    report["seconds"] = round(len(judged) / RATE, 2)
    report["levelDb"] = level_db(judged)
    report["sentLevelDb"] = level_db(sent.samples)
    source, heard = _band(sent.samples), _band(judged)
    length = int(window * rate)
    peaks, delays, at = [], [], []
    for start in range(0, len(heard) - length, length):
        piece = heard[start:start + length]
        if level_db(piece) < quietest:
            continue
        wall = received.wall(begin + start * 6)
        # Where in the sent samples the piece would lie with no delay at all.
        origin = int(round((wall - sent.wall(0)) * rate / 1000))
        low, high = origin - int(longest * rate), origin + int(0.05 * rate)
        low, high = max(0, low), min(len(source) - length, high)
        if high <= low:
            continue
        region = source[low:high + length]
        size = 1 << (len(region) + length - 1).bit_length()
        product = np.fft.irfft(np.fft.rfft(region, size) * np.conj(np.fft.rfft(piece, size)), size)[:high - low + 1]
        power = np.concatenate(([0.0], np.cumsum(region * region)))
        norm = np.sqrt((power[length:length + high - low + 1] - power[:high - low + 1]) * np.sum(piece * piece)) + 1e-9
        ratio = product / norm
        best = int(np.argmax(ratio))
        peaks.append(float(ratio[best]))
        delays.append(wall - sent.wall((low + best) * 6))
        at.append(wall)
    report["windows"] = len(peaks)
    if peaks:
        peaks, delays, at = np.array(peaks), np.array(delays), np.array(at)
        report["correlation"] = round(float(np.median(peaks)), 3)
        alike = peaks >= 0.5
        report["alike"] = round(float(alike.mean()), 3)
        if alike.sum() >= 3:
            report["delayP50"] = round(float(np.median(delays[alike])), 1)
            report["growthMs"] = growth(at[alike], delays[alike])
    return report


# MARK: Judgement

@dataclass
class Limits:
    """What a direction must reach. Speech goes through a codec and a jitter buffer, pictures through a busy machine."""
    fps: float = 20.0
    readable: float = 0.95
    minimum_seconds: float = 10.0
    level_db: float = -45.0
    correlation: float = 0.6
    growth_ms: float = 300.0
    alike: float = 0.7


def judge(name, video, audio, limits=Limits()):
    """What is wrong with a direction, in words; an empty list where nothing is. `video` or `audio` None: not judged."""
    wrong = []

    def need(holds, text):
        if not holds:
            wrong.append(f"{name}: {text}")

    if video is not None:
        need(video["fps"] >= limits.fps, f"{video['fps']} pictures a second, not {limits.fps}")
        need(video["frames"] >= limits.minimum_seconds * limits.fps, f"only {video['frames']} pictures")
        need(video["readable"] >= limits.readable, f"{video['readable']:.0%} of the stamps can be read")
        need(video["backward"] == 0, f"{video['backward']} pictures went back in time")
        need(video["growthMs"] is not None, "the pictures are not those that were sent")
        need(abs(video["growthMs"] or 0) <= limits.growth_ms or (video["growthMs"] or 0) < 0,
             f"the delay of the pictures grew by {video['growthMs']} ms")
    if audio is not None:
        need(audio["seconds"] >= limits.minimum_seconds, f"{audio['seconds']} s of sound")
        need(audio["levelDb"] >= limits.level_db, f"sound at {audio['levelDb']} dB")
        need(audio["correlation"] >= limits.correlation, f"correlation with what was said {audio['correlation']}")
        need(audio["alike"] >= limits.alike, f"{audio['alike']:.0%} of the speech is recognisable")
        need((audio["growthMs"] or 0) <= limits.growth_ms, f"the delay of the sound grew by {audio['growthMs']} ms")
    return wrong
