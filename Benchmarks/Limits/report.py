"""The table and the page of `make bench-loss`: report.py RESULTS.jsonl [--page FILE.html] [--revision TEXT] [--gate]"""

import argparse
import datetime
import sys
from html import escape

import limits
from plot import COLOURS, plot
from results import CODECS_MS, GOALS, LONGEST_GAP_MS, MEDIA_KBPS, MODEL_NAMES, MODELS, QUALITY_DB
from results import cells, clean_of, read, show

COLUMNS = [
    # heading, what it is, value of a cell
    ("loss %", "each way, as set", lambda c: str(c.loss)),
    ("seen %", "share of datagrams the links lost", lambda c: show(c.lost, 1)),
    ("burst", "mean run of lost datagrams on the link", lambda c: show(c.burst, 1)),
    ("video P50", "capture to render, ms", lambda c: show(c.latency["p50"])),
    ("P95", "", lambda c: show(c.latency["p95"])),
    ("P99", "", lambda c: show(c.latency["p99"])),
    ("fps", "pictures shown in a second", lambda c: show(c.fps, 1)),
    ("fps P5", "5th percentile of whole seconds", lambda c: show(c.fps_p5, 0)),
    ("freezes /min", "W3C webrtc-stats", lambda c: show(c.freezes, 2)),
    ("longest gap", "ms without a new picture, worst of all runs", lambda c: show(c.gap)),
    ("never shown %", "pictures sent and never seen", lambda c: show(c.never, 2)),
    ("psnrY", "dB, frozen pictures counted", lambda c: show(c.psnr, 1)),
    ("ssim", "", lambda c: show(c.ssim, 3)),
    ("media kbit/s", "out of the video encoder", lambda c: show(c.kbps)),
    ("height", "", lambda c: show(c.height)),
    ("video expansion", "video bytes in RTP payloads / video media bytes", lambda c: show(c.video_expansion, 2)),
    ("limit", "of a code within the frame, with the rounds the measured P99 leaves room for", lambda c: show(c.limit, 2)),
    ("rounds", "feedback rounds of that limit", lambda c: show(c.rounds)),
    ("to limit", "video expansion above the limit, %", lambda c: distance(c)),
    ("limit, 1 round", "", lambda c: show(c.one_round, 2)),
    ("capacity", "1 / (1 - p)", lambda c: show(limits.capacity(c.loss / 100), 2)),
    ("expansion", "all UDP payload / all media bytes", lambda c: show(c.expansion, 2)),
    ("packets /frame", "mean", lambda c: show(c.packets, 1)),
    ("sound P50", "ms", lambda c: show(c.sound["p50"])),
    ("P95", "", lambda c: show(c.sound["p95"])),
    ("concealed %", "silence left out", lambda c: show(c.concealed, 2)),
    ("recovered %", "", lambda c: show(c.recovered, 2)),
    ("limit %", "loss ^ (copies + 1), with as many copies as the measured P95 has room for", lambda c: show(c.sound_limit, 3)),
    ("skew P95", "ms, without sign", lambda c: show(c.skew)),
    ("sound early", "P95, ms", lambda c: show(c.late)),
    ("sound late", "P95, ms", lambda c: show(None if c.early is None else -c.early)),
    ("key frames /min", "", lambda c: show(c.keys, 1)),
    ("PLI /min", "", lambda c: show(c.plis, 1)),
    ("NACK /min", "messages", lambda c: show(c.nacks, 0)),
    ("queue P95", "ms, as the sender's estimate sees it", lambda c: show(c.queue)),
]


def distance(cell):
    if cell.limit is None or cell.video_expansion is None:
        return "-"
    return f"{100 * (cell.video_expansion / cell.limit - 1):+.0f}"


def verdict(cell, found):
    """(word, reasons): PASS, MISS, or that there is no goal, or that the cell does not count."""
    quality = cell.quality(clean_of(cell, found)) if cell.loss else []
    missed = cell.misses()
    if missed is None:
        return ("no goal" if not quality else "quality"), quality
    if missed or quality:
        return "MISS", missed + quality
    return "PASS", []


def conditions(run, found):
    cell = run["cell"]
    seeds = sorted({seed for c in found for seed in c.seeds})
    rate = f"{cell['rateKbps'] / 1000:g} Mbit/s with a drop-tail queue of {cell['queueMs']} ms" if cell["rateKbps"] else "unlimited"
    forced = "".join(
        f" {word} {cell[name]} kbit/s;"
        for word, name in (("estimate begins at", "startKbps"), ("estimate at most", "mostKbps"))
        if cell.get(name)
    )
    return (
        f"Two Petrel peers in virtual time, both directions over the same kind of link and both measured; "
        f"link rate {rate};{forced} loss per datagram of the link, whatever it carries, in the packets (Gilbert-Elliott for bursts: "
        f"mean burst in datagrams, all lost in a burst and none between); film {cell['height']} rows at 30 a second, "
        f"real VP8 set to 1800 kbit/s and Opus, recorded speech; {cell['seconds']} s a call, seeds "
        f"{', '.join(map(str, seeds))}; encoding counts {CODECS_MS - 3} ms and decoding 3 ms; revision {cell['revision']}."
    )


CRITERION = (
    f"A cell counts only with quality kept: video media >= {MEDIA_KBPS} of 1800 kbit/s, full height, psnrY within "
    f"{QUALITY_DB:g} dB of the run without loss at the same round trip (frozen and never-shown pictures counted). "
    "Goals stand for a round trip of 100 ms, random loss and bursts of 3: video expansion, video latency P99, freezes a "
    f"minute, pictures a second, concealed sound, sound latency P95; for bursts of 8 at 30 %: no gap over {LONGEST_GAP_MS} ms. "
    "Percentiles and rates are means over runs and directions, gaps the worst of all."
)


def table(found):
    """The short table for a terminal."""
    head = "  rtt model        loss   P50   P99   fps frz/m   gap  psnr  kbps  vexp limit   to%  conc%  sndP95  verdict"
    lines = [head]
    for c in found:
        word, reasons = verdict(c, found)
        lines.append(
            f"{c.rtt:5d} {MODEL_NAMES[c.model]:12s} {c.loss:4d} {show(c.latency['p50']):>5s} {show(c.latency['p99']):>5s} "
            f"{show(c.fps, 1):>5s} {show(c.freezes, 2):>5s} {show(c.gap):>5s} {show(c.psnr, 1):>5s} {show(c.kbps):>5s} "
            f"{show(c.video_expansion, 2):>5s} {show(c.limit, 2):>5s} {distance(c):>5s} {show(c.concealed, 2):>6s} "
            f"{show(c.sound['p95']):>7s}  {word}{': ' if reasons else ''}{'; '.join(reasons)}"
        )
    return "\n".join(lines)


def plots(found, rtt):
    here = [c for c in found if c.rtt == rtt]
    models = [m for m in MODELS if any(c.model == m and c.loss for c in here)] or ["random"]

    def series(value):
        lines = []
        for model in models:
            points = [(c.loss, value(c)) for c in here if c.model == model or c.loss == 0]
            lines.append((MODEL_NAMES[model], COLOURS[model], False, sorted(points)))
        return lines

    def dashed(value):
        return [(name + ", limit", colour, True, points) for name, colour, _, points in series(value)]

    def goals(index):
        return [(loss, goal[index]) for loss, goal in GOALS.items()] if rtt == 100 else []

    expansion_goals = [(loss, goal[0][0]) for loss, goal in GOALS.items()] if rtt == 100 else []
    return "\n".join(
        [
            plot("video latency P99", "ms", series(lambda c: c.latency["p99"]), goals(1), high=1500),
            plot("video latency P50", "ms", series(lambda c: c.latency["p50"]), high=1500),
            plot(
                "video expansion (dashed: limit)", "",
                series(lambda c: c.video_expansion) + dashed(lambda c: c.one_round), expansion_goals, low=1, high=8,
            ),
            plot("freezes a minute", "", series(lambda c: c.freezes), goals(2), high=60),
            plot("pictures a second", "", series(lambda c: c.fps), goals(3), high=31),
            plot("psnrY, frozen counted", "dB", series(lambda c: c.psnr), low=None),
            plot("video media", "kbit/s", series(lambda c: c.kbps), [(0, MEDIA_KBPS), (70, MEDIA_KBPS)]),
            plot(
                "concealed sound (dashed: limit)", "%",
                series(lambda c: c.concealed) + dashed(lambda c: c.sound_limit), goals(4), high=20,
            ),
            plot("sound latency P95", "ms", series(lambda c: c.sound["p95"]), goals(5), high=1500),
            plot("skew P95", "ms", series(lambda c: c.skew), high=500),
        ]
    )


STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:24px;color:#1d2327;max-width:1420px}
h1{font-size:22px;margin:0 0 6px}h2{font-size:17px;margin:26px 0 6px}p{max-width:110ch;margin:6px 0}
.plots{display:flex;flex-wrap:wrap;gap:6px 14px}svg .title{font:600 12px system-ui,sans-serif}
svg .tick{font:10.5px system-ui,sans-serif;fill:#5a646b}svg .grid{stroke:#e4e8ea;stroke-width:1}
svg .goal{stroke:#1a7f37;stroke-width:2.5}
.key span{margin-right:18px}.key i{display:inline-block;width:22px;height:0;border-top:3px solid;vertical-align:middle;margin-right:5px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:12px;font-variant-numeric:tabular-nums}
th,td{padding:2px 6px;text-align:right;border-bottom:1px solid #e4e8ea;white-space:nowrap}
th{vertical-align:bottom;background:#f5f7f8;white-space:normal;min-width:44px}td.why{white-space:normal;text-align:left;min-width:300px}
.PASS{color:#1a7f37;font-weight:600}.MISS{color:#b42318;font-weight:600}.quality{color:#8a6100;font-weight:600}
"""


def page(found, run):
    out = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Petrel: calls over links that lose</title>',
        f"<style>{STYLE}</style></head><body><h1>Calls over links that lose</h1>",
        f"<p>{escape(conditions(run, found))}</p><p>{escape(CRITERION)}</p>",
        "<p>The limit is that of an ideal code within each frame, for the sizes of the frames of that cell: a first volley "
        "and further ones sized after feedback that is never lost, at most one frame in a thousand left broken. A code "
        "across frames can come below it where the latency allows; nothing comes below 1 / (1 - p).</p>",
        '<p class="key">'
        + "".join(f'<span><i style="border-color:{COLOURS[m]}"></i>{MODEL_NAMES[m]}</span>' for m in MODELS)
        + '<span><i style="border-color:#1a7f37"></i>goal (random loss)</span>'
        + "<span>open mark: beyond the upper edge</span></p>",
    ]
    for rtt in sorted({c.rtt for c in found}):
        out.append(f'<h2>Round trip {rtt} ms</h2><div class="plots">{plots(found, rtt)}</div>')
        for model in MODELS:
            rows = [c for c in found if c.rtt == rtt and c.model == model]
            if not rows:
                continue
            out.append(f"<h3>Round trip {rtt} ms, {MODEL_NAMES[model]}</h3><div class='scroll'><table><tr>")
            heads = [f'<th title="{escape(what)}">{escape(name)}</th>' for name, what, _ in COLUMNS]
            heads.insert(1, '<th>verdict</th><th style="text-align:left">why</th>')
            out.append("".join(heads) + "</tr>")
            for c in rows:
                word, reasons = verdict(c, found)
                kind = word if word in ("PASS", "MISS", "quality") else ""
                fields = [f"<td>{escape(value(c))}</td>" for _, _, value in COLUMNS]
                fields.insert(1, f'<td class="{kind}">{word}</td><td class="why">{escape("; ".join(reasons))}</td>')
                out.append("<tr>" + "".join(fields) + "</tr>")
            out.append("</table></div>")
    notes = "; ".join(f"{name}: {what}" for name, what, _ in COLUMNS if what)
    out.append(f"<p>{escape(notes)}. Sound early and late are against the picture of the same moment.</p>")
    out.append(f"<p>Made {datetime.date.today().isoformat()}.</p></body></html>")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results")
    parser.add_argument("--page")
    parser.add_argument("--revision")
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a cell misses its goal")
    arguments = parser.parse_args()
    revision, runs = read(arguments.results, arguments.revision)
    if not runs:
        sys.exit(f"{arguments.results} holds no results" + (f" of {arguments.revision}" if arguments.revision else ""))
    found = cells(runs)
    print(conditions(runs[-1], found))
    print(CRITERION)
    print(table(found))
    if arguments.page:
        with open(arguments.page, "w", encoding="utf-8") as file:
            file.write(page(found, runs[-1]))
        print(f"page: {arguments.page}")
    if arguments.gate and any(verdict(c, found)[0] == "MISS" for c in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
