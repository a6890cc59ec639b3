#!/usr/bin/env python3
"""Draws report.png from the folder of a call's report: what was sent beside what was seen, and how the call went.

Usage: Scripts/report.py FOLDER
Reads timeline.json and the pictures that it names; writes report.png, 1600 pixels wide, when it is whole.
"""
import json
import os
import sys

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec
    import numpy as np
except ImportError as error:
    sys.exit(f"matplotlib and numpy are needed (Scripts/setup.sh media installs them): {error}")

VIDEO, AUDIO, LOSS, WIRE, MEDIA, ESTIMATE, FREEZE, GONE = (
    "#1f5fa8", "#d9822b", "#b03a2e", "#1f5fa8", "#6aa84f", "#888888", "#e8574a", "#b03a2e")
WIDTH, DPI = 1600, 100
# Gaps above this are drawn as gaps and not bridged by a line, in seconds.
LONGEST_STEP = 0.25


def text_of(value, unit="", digits=0, factor=1.0):
    return "unknown" if value is None else f"{value * factor:.{digits}f}{unit}"


def heading(report):
    link = report["link"]
    where = link["ab"] if link["ab"] == link["ba"] else f"{link['ab']} there, {link['ba']} back"
    connect = report["connect"]
    parts = [f"{text_of(report['seconds'], ' s', 0)} of audio and video over a link of {where or 'unknown quality'}",
             f"connected after {text_of(connect['dtlsMs'], ' ms')}, first picture after {text_of(connect['firstFrameMs'], ' ms')}"]
    if report["relay"]["seenPercent"] is not None:
        parts.append(f"{report['relay']['seenPercent']:.1f} % of the datagrams crossed the relay")
    return "    ".join(parts)


def figures(way):
    video, audio, network, skew = way["video"], way["audio"], way["network"], way["avSkewMs"]
    lines = [
        [f"{text_of(video['width'])}x{text_of(video['height'])}", text_of(video["fps"], " fps", 1),
         f"latency P50 {text_of(video['latencyMs']['p50'])}, P95 {text_of(video['latencyMs']['p95'], ' ms')}",
         f"{text_of(video['bitrateKbps'], ' kbit/s')}", f"PSNR {text_of(video['psnrY'], ' dB', 1)}",
         f"SSIM {text_of(video['ssim'], '', 3)}"],
        [f"freezes: {text_of(video['freezes'])} ({text_of(video['freezeSeconds'], ' s', 1)})",
         f"frames never shown: {text_of(video['framesNeverShown'])} of {text_of(video['framesSent'])}",
         f"longest gap {text_of(video['longestGapMs'], ' ms')}", f"A/V skew P95 {text_of(skew['p95Abs'], ' ms')}"],
        [f"audio latency P50 {text_of(audio['latencyMs']['p50'])}, P95 {text_of(audio['latencyMs']['p95'], ' ms')}",
         f"concealed {text_of(audio['concealedPercent'], ' %', 2)}",
         f"packets lost {text_of(network['packetsLostPercent'], ' %', 1)}",
         f"expansion {text_of(network['expansion'], '', 2)}"],
    ]
    return "\n".join("   ".join(line) for line in lines)


def columns(points):
    array = np.array(points, dtype=float).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def with_gaps(points):
    """Points with a not-a-number between those too far apart, so that a line has a gap there."""
    x, y = columns(points)
    breaks = np.where(np.diff(x) > LONGEST_STEP)[0] + 1
    return np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan)


def mark_freezes(axis, timeline):
    for number, (start, length) in enumerate(timeline["freezes"]):
        axis.axvspan(start, start + length, color=FREEZE, alpha=0.25, lw=0, label="freeze" if number == 0 else None)


def finish(axis, label, end, top, with_time=False):
    axis.set_ylabel(label)
    axis.set_xlim(0, end)
    axis.set_ylim(0, top)
    axis.grid(True, color="#dddddd", lw=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    if with_time:
        axis.set_xlabel("seconds of the call")
    else:
        axis.tick_params(labelbottom=False)
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        axis.legend(handles, labels, loc="lower right", bbox_to_anchor=(1, 0.98), fontsize=9, ncol=5, frameon=False,
                    handlelength=1.4, columnspacing=1.2, borderaxespad=0)


def draw_latency(axis, timeline, end, top):
    mark_freezes(axis, timeline)
    if timeline["videoLatencyMs"]:
        axis.plot(*columns(timeline["videoLatencyMs"]), ".", ms=3, color=VIDEO, label="video, each frame")
    if timeline["audioLatencyMs"]:
        axis.plot(*with_gaps(timeline["audioLatencyMs"]), "-", lw=1.3, color=AUDIO, label="audio")
    if timeline["neverShown"]:
        axis.plot(timeline["neverShown"], np.full(len(timeline["neverShown"]), top * 0.985), "|", ms=7, mew=1.2,
                  color=GONE, label="frame never shown", clip_on=False)
    finish(axis, "latency, ms", end, top)


def draw_loss(axis, timeline, end, top):
    mark_freezes(axis, timeline)
    if timeline["lossPercent"]:
        x, y = columns(timeline["lossPercent"])
        axis.bar(x, y, width=0.8, color=LOSS, alpha=0.8, label="lost by the network, each second")
        if not y.any():
            axis.text(0.5, 0.5, "nothing was lost", transform=axis.transAxes, ha="center", color="#888888")
    else:
        axis.text(0.5, 0.5, "not known", transform=axis.transAxes, ha="center", color="#888888")
    finish(axis, "loss, %", end, top)


def draw_rate(axis, timeline, end, top):
    mark_freezes(axis, timeline)
    for key, color, style, label in (("wireKbps", WIRE, "-", "sent, everything"), ("mediaKbps", MEDIA, "-", "out of the encoders"),
                                     ("estimateKbps", ESTIMATE, "--", "estimate of the link")):
        if timeline[key]:
            axis.plot(*columns(timeline[key]), style, lw=1.5, color=color, label=label)
    finish(axis, "bitrate, kbit/s", end, top, with_time=True)


def draw_pictures(figure, cell, folder, picture):
    pair = GridSpecFromSubplotSpec(1, 2, subplot_spec=cell, wspace=0.02)
    if picture["seenCounter"] == picture["counter"]:
        seen = f"as seen: {picture['psnrY']:.1f} dB"
    else:
        seen = f"as seen: still frame {picture['seenCounter']}, {picture['psnrY']:.1f} dB"
    for column, (name, title) in enumerate(((picture["sent"], f"frame {picture['counter']} at {picture['t']:.1f} s as sent"),
                                            (picture["seen"], seen))):
        axis = figure.add_subplot(pair[column])
        image = plt.imread(os.path.join(folder, name))
        # Two pixels of the file for each one drawn are enough; more only cost time.
        step = max(1, image.shape[1] // 800)
        axis.imshow(image[::step, ::step], interpolation="antialiased")
        axis.set_title(title, fontsize=9.5, pad=3)
        axis.set_axis_off()


def upper(values, least, percentile=100.0):
    values = [value for value in values if value is not None]
    return max(least, float(np.percentile(values, percentile)) * 1.15) if values else least


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: report.py FOLDER")
    folder = sys.argv[1]
    try:
        with open(os.path.join(folder, "timeline.json"), encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"{folder} holds no report that can be drawn: {error}")
    report, timelines = data["report"], data["directions"]
    pairs = max((len(timeline["pictures"]) for timeline in timelines), default=0)

    plt.rcParams.update({"font.size": 10.5, "axes.titlesize": 10.5, "figure.facecolor": "white"})
    # Pictures of 16:9, two beside each other in half the width, and the curves below them.
    picture_height, plot_height, top_space = 205, 185, 168
    height = top_space + pairs * (picture_height + 36) + 3 * (plot_height + 36) + 70
    figure = plt.figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI)
    figure.text(0.012, 1 - 30 / height, "A Petrel call", fontsize=17, fontweight="bold", va="center")
    figure.text(0.012, 1 - 58 / height, heading(report), fontsize=11.5, color="#444444", va="center")
    outer = GridSpec(1, max(1, len(timelines)), figure=figure, left=0.048, right=0.988, top=1 - (top_space + 20) / height,
                     bottom=52 / height, wspace=0.12)

    def both(key, index=1):
        return [point[index] for timeline in timelines for point in timeline[key]]

    end = max([point[0] for timeline in timelines for key in ("videoLatencyMs", "audioLatencyMs", "wireKbps")
               for point in timeline[key]] + [1.0])
    # A few late frames must not press all others to the ground: the scale ends above 99.5 % of them.
    latency_top = max(upper(both("videoLatencyMs"), 100, 99.5), upper(both("audioLatencyMs"), 100, 99.5))
    loss_top = upper(both("lossPercent"), 10)
    rate_top = upper(both("wireKbps") + both("mediaKbps") + both("estimateKbps"), 500)
    for column, timeline in enumerate(timelines):
        inner = GridSpecFromSubplotSpec(
            pairs + 3, 1, subplot_spec=outer[column], height_ratios=[picture_height] * pairs + [plot_height] * 3,
            hspace=0.19)
        box = outer[column].get_position(figure)
        figure.text(box.x0, 1 - 92 / height, timeline["name"].replace("->", " \u2192 "), fontsize=13.5, fontweight="bold", va="center")
        figure.text(box.x0, 1 - 137 / height, figures(report["directions"][column]), fontsize=10, color="#222222",
                    va="center", linespacing=1.5)
        for row, picture in enumerate(timeline["pictures"]):
            draw_pictures(figure, inner[row], folder, picture)
        draw_latency(figure.add_subplot(inner[pairs]), timeline, end, latency_top)
        draw_loss(figure.add_subplot(inner[pairs + 1]), timeline, end, loss_top)
        draw_rate(figure.add_subplot(inner[pairs + 2]), timeline, end, rate_top)
    work = os.path.join(folder, ".report.png")
    figure.savefig(work, dpi=DPI, format="png")
    os.replace(work, os.path.join(folder, "report.png"))


if __name__ == "__main__":
    main()
