"""Results of `make bench-loss`: reading them, and what a cell is judged by."""

import json
import math

import limits

MODELS = ["random", "burst3", "burst8"]
MODEL_NAMES = {"random": "random", "burst3": "bursts of 3", "burst8": "bursts of 8"}
CODECS_MS = 11  # what encoding and decoding take in a virtual call
MEDIA_KBPS = 1700  # of the 1800 the encoder is set to
QUALITY_DB = 1.0  # what psnrY may lose against the run without loss

# At a round trip of 100 ms: the video's expansion (random, bursts of 3), its latency P99, freezes in a minute, pictures a
# second, concealed sound in percent, the sound's latency P95.
GOALS = {
    10: ((1.25, 1.40), 211, 0.0, 29.5, 0.1, 150),
    20: ((1.50, 1.75), 216, 0.0, 29.5, 0.2, 160),
    30: ((1.75, 2.15), 221, 0.0, 29.0, 0.5, 176),
    40: ((2.10, 2.70), 231, 0.1, 29.0, 1.0, 196),
    50: ((2.75, 3.10), 246, 0.2, 28.5, 1.0, 216),
    60: ((3.60, 4.00), 281, 0.5, 27.0, 1.5, 236),
    70: ((5.00, 5.00), 321, 2.0, 25.0, 1.0, 230),
}
# Bursts of 8 at 30 %: no gap longer than this.
LONGEST_GAP_MS = 500


def read(path, revision=None):
    """Lines of one revision: the one named, else that of the last line. Answers (revision, runs)."""
    runs = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            try:
                runs.append(json.loads(line))
            except ValueError:
                continue  # half a line of a run that was broken off
    if not runs:
        return None, []
    revision = revision or runs[-1]["cell"]["revision"]
    return revision, [run for run in runs if run["cell"]["revision"] == revision]


def mean(values):
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def worst(values, best=max):
    known = [value for value in values if value is not None]
    return best(known) if known else None


class Cell:
    """All runs and both directions of one condition. Percentiles and rates are means over them, gaps the worst."""

    def __init__(self, loss, model, rtt, runs):
        self.loss, self.model, self.rtt, self.runs = loss, model, rtt, runs
        ways = [way for run in runs for way in run["report"]["directions"]]
        extras = [extra for run in runs for extra in run["extra"]]
        self.seconds = runs[0]["cell"]["seconds"]
        self.wanted_height = runs[0]["cell"]["height"]
        self.seeds = sorted(run["report"]["seed"] for run in runs)
        video, audio, net = ([way[part] for way in ways] for part in ("video", "audio", "network"))
        minutes = len(ways) * self.seconds / 60
        self.latency = {p: mean(v["latencyMs"][p] for v in video) for p in ("p50", "p95", "p99")}
        self.sound = {p: mean(a["latencyMs"][p] for a in audio) for p in ("p50", "p95", "p99")}
        # A direction that never showed a picture had one freeze, as long as the call.
        self.freezes = sum(1 if v["freezes"] is None else v["freezes"] for v in video) / minutes
        self.gap = worst(v["longestGapMs"] if v["freezes"] is not None else self.seconds * 1000 for v in video)
        self.fps = mean(v["fps"] or 0 for v in video)
        self.fps_p5 = mean(v["fpsP5"] or 0 for v in video)
        self.never = 100 * mean(v["framesNeverShown"] / max(1, v["framesSent"]) for v in video)
        self.height = worst((v["height"] or 0 for v in video), min)
        self.psnr = mean(v["psnrY"] for v in video)
        self.ssim = mean(v["ssim"] for v in video)
        self.kbps = mean(v["bitrateKbps"] or 0 for v in video)
        self.concealed = mean(a["concealedPercent"] for a in audio)
        self.recovered = mean(a["recoveredPercent"] for a in audio)
        self.interruptions = sum(a["interruptions"] or 0 for a in audio) / minutes
        self.skew = mean(way["avSkewMs"]["p95Abs"] for way in ways)
        self.late = mean(e["skewP95Ms"] for e in extras)  # picture late: sound early
        self.early = mean(e["skewP5Ms"] for e in extras)
        self.expansion = mean(n["expansion"] for n in net)
        self.video_expansion = mean(n["videoExpansion"] for n in net)
        self.lost = mean(n["packetsLostPercent"] for n in net)
        self.burst = mean(e["meanBurst"] for e in extras)
        self.plis = sum(n["plis"] or 0 for n in net) / minutes
        self.nacks = sum(n["nacks"] or 0 for n in net) / minutes
        self.keys = sum(e["keyFrames"] for e in extras) / minutes
        self.queue = mean(n["queueDelayMs"]["p95"] for n in net)
        self.media_bytes = sum(n["mediaBytes"] or 0 for n in net)
        self.wire_bytes = sum(n["wireBytes"] or 0 for n in net)
        self.frames = {}
        for extra in extras:
            for size, count in extra["packetsPerFrame"].items():
                self.frames[int(size)] = self.frames.get(int(size), 0) + count
        count = sum(self.frames.values())
        self.packets = sum(size * n for size, n in self.frames.items()) / count if count else None
        self.rate = sum(n["packetsSent"] for n in net) / (len(ways) * self.seconds)
        self.limit = None  # of the video's expansion, with the rounds its own latency had room for
        self.one_round = None
        self.rounds = None

    def excess(self):
        """What the video's P99 takes beyond the one-way delay and the codecs."""
        return None if self.latency["p99"] is None else self.latency["p99"] - self.rtt / 2 - CODECS_MS

    def compute_limits(self, tables):
        if not self.frames:
            return
        p, burst = self.loss / 100, {"random": None, "burst3": 3, "burst8": 8}[self.model]
        if (self.loss, self.model) not in tables:
            tables[self.loss, self.model] = limits.arrivals(p, burst)
        table = tables[self.loss, self.model]
        self.one_round = limits.expansion(self.frames, table, 1)
        if self.excess() is not None:
            self.rounds = min(3, limits.rounds_within(self.excess(), self.rtt))
            self.limit = (
                self.one_round if self.rounds == 1 else limits.expansion(self.frames, table, self.rounds)
            )
        if self.sound["p95"] is not None and self.loss:
            # A block of 20 ms is sent when its last sample is there.
            self.sound_depth = max(0, int((self.sound["p95"] - self.rtt / 2 - 20) // 20))
            self.sound_limit = 100 * limits.sound_lost(p, self.sound_depth, burst, self.rate / 50)
        else:
            self.sound_depth = self.sound_limit = None

    def quality(self, clean):
        """Why the cell does not count; empty where it does."""
        reasons = []
        if self.kbps < MEDIA_KBPS:
            reasons.append(f"media {self.kbps:.0f} < {MEDIA_KBPS} kbit/s")
        if self.height < self.wanted_height:
            reasons.append(f"height {self.height} < {self.wanted_height}")
        if self.psnr is None:
            reasons.append("no picture compared")
        elif clean and clean.psnr is not None and self.psnr < clean.psnr - QUALITY_DB:
            reasons.append(f"psnrY {self.psnr:.1f} < {clean.psnr - QUALITY_DB:.1f} dB")
        elif not clean:
            reasons.append("no run without loss beside it")
        return reasons

    def misses(self):
        """Which goals are missed; None where there is no goal for this cell."""
        missed = []

        def check(name, value, limit, at_least=False):
            if value is None or (value < limit if at_least else value > limit):
                shown = "none" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")
                missed.append(f"{name} {shown} ({'>=' if at_least else '<='} {limit:g})")

        if self.model == "burst8":
            if self.loss != 30:
                return None
            check("longest gap", self.gap, LONGEST_GAP_MS)
            return missed
        if self.rtt != 100 or self.loss not in GOALS:
            return None
        expansion, latency, freezes, fps, concealed, sound = GOALS[self.loss]
        check("expansion", self.video_expansion, expansion[MODELS.index(self.model)])
        check("latency P99", self.latency["p99"], latency)
        check("freezes/min", self.freezes, freezes)
        check("fps", self.fps, fps, at_least=True)
        check("concealed %", self.concealed, concealed)
        check("sound P95", self.sound["p95"], sound)
        return missed


def cells(runs):
    """One Cell per condition, with limits, in order of round trip, model and loss."""
    groups = {}
    for run in runs:
        cell = run["cell"]
        # Runs of other lengths or sizes are other measurements: the last one's count.
        groups.setdefault((cell["rtt"], MODELS.index(cell["model"]), cell["loss"]), []).append(run)
    last = runs[-1]["cell"]
    shape = ("seconds", "height", "rateKbps", "queueMs", "startKbps", "mostKbps")
    same = lambda run: all(run["cell"].get(k) == last.get(k) for k in shape)
    tables, found = {}, []
    for (rtt, model, loss), group in sorted(groups.items()):
        group = [run for run in group if same(run)]
        if not group:
            continue
        cell = Cell(loss, MODELS[model], rtt, group)
        cell.compute_limits(tables)
        found.append(cell)
    return found


def clean_of(cell, all_cells):
    return next((c for c in all_cells if c.loss == 0 and c.rtt == cell.rtt), None)


def show(value, digits=0):
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.{digits}f}"
