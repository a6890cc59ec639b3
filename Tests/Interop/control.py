#!/usr/bin/env python3
"""Chromium with Petrel, beside Chromium with Chromium on the same machine, in turn: what a browser's user gets.

    .venv/bin/python Tests/Interop/control.py [--program .build/release/petrel] [--runs 5] [--seconds 60] [--json FILE]

For each run and direction: pictures per second after the browser's ramp, concealed sound, time from the offer to the
first picture, latency; and the skew of sound and picture on Petrel's side. The medians are printed at the end.
"""
import argparse
import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import sessions  # noqa: E402
from chromium import Chromium  # noqa: E402
from machine import Machine  # noqa: E402
from run import Context  # noqa: E402
from matrix import ROOT  # noqa: E402
from web import load_browser  # noqa: E402

# Chromium begins at 300 kbit/s and small pictures, and takes some 20 s to 720p.
RAMP_SECONDS = 20.0


def concealed(stats):
    """Percent of the sound that was made up, silence left out, from a browser's or Petrel's W3C dictionaries."""
    for entry in stats:
        if entry.get("type") == "inbound-rtp" and entry.get("kind") == "audio" and entry.get("totalSamplesReceived"):
            made_up = entry["concealedSamples"] - entry.get("silentConcealedSamples", 0)
            return round(100 * made_up / entry["totalSamplesReceived"], 2)
    return None


def direction(sent, received, began, since, until, modulus, statistics_of_receiver):
    """One direction of a call: `sent`, `received` are the Sides of its ends."""
    pictures = received.received_video
    video = checks.video_report(sent.sent_video, pictures, modulus, since, until)
    audio = checks.audio_report(sent.sent_sound, received.received_sound, since, until)
    return {"fps": video["fps"], "height": video["height"], "readable": video["readable"],
            "latencyP50": video["latencyP50"], "latencyP95": video["latencyP95"],
            "firstPictureMs": round(float(pictures[0, 0]) - began, 1) if len(pictures) else None,
            "concealedPercent": concealed(statistics_of_receiver), "audioDelayP50": audio["delayP50"],
            "correlation": audio["correlation"],
            "contentSkewMs": round(video["latencyP50"] - audio["delayP50"], 1)
            if video["latencyP50"] is not None and audio["delayP50"] is not None else None}


def petrel_run(context, role, folder, seconds):
    """Chromium, in that role, with Petrel."""
    with sessions.Session(context, Chromium, folder) as session:
        session.connect(role, trickle=True)
        time.sleep(seconds)
        session.finish()
        since, until = session.connected + RAMP_SECONDS * 1000, session.until
        last = session.here.stats[-1]["r"] if session.here.stats else []
        to_petrel = direction(session.there, session.here, session.began, since, until, session.browser.modulus, last)
        skews = [abs(entry["avSkewMs"]) for row in session.here.stats for entry in row["r"]
                 if entry.get("type") == "petrel-sync"]
        to_petrel["skewP95Ms"] = round(statistics.quantiles(skews, n=20)[-1], 1) if len(skews) > 1 else None
        from_petrel = direction(session.here, session.there, session.began, since, until, checks.MODULUS,
                                session.index["stats"])
        return {"chromium->petrel": to_petrel, "petrel->chromium": from_petrel}, session.others


def control_run(context, folder, seconds):
    """Two Chromiums."""
    os.makedirs(folder, exist_ok=True)
    machine = Machine()
    ends = [Chromium(context.server, context.tag(), os.path.join(folder, name)) for name in ("offerer", "answerer")]
    with ends[0] as offerer, ends[1] as answerer:
        for browser in ends:
            browser.rig("prepare", browser.source())
        offerer.rig("connect", {})
        answerer.rig("connect", {"addTracks": False})
        began = time.time() * 1000
        offer = offerer.rig("offer", {"trickle": True})
        answer = answerer.rig("answer", offer, {"trickle": True})
        offerer.rig("accept", answer)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            answerer.rig("addCandidates", offerer.rig("takeCandidates"))
            offerer.rig("addCandidates", answerer.rig("takeCandidates"))
            time.sleep(0.005)
        connected = max(offerer.rig("waitConnected"), answerer.rig("waitConnected"))
        time.sleep(seconds)
        until, others = time.time() * 1000, machine.others()
        for browser in ends:
            browser.rig("finish", seconds=90)
        sides = [load_browser(browser.folder) for browser in ends]
    since = connected + RAMP_SECONDS * 1000
    return {f"{a}->{b}": direction(sides[x][0], sides[y][0], began, since, until, offerer.modulus, sides[y][1]["stats"])
            for a, b, x, y in (("offerer", "answerer", 0, 1), ("answerer", "offerer", 1, 0))}, others


def summary(runs):
    """Medians by kind of call and direction."""
    result = {}
    for run in runs:
        for name, figures in run["directions"].items():
            result.setdefault(f"{run['call']}: {name}", []).append(figures)
    return {name: {key: round(statistics.median(values), 2)
                   for key in rows[0] if (values := [row[key] for row in rows if row.get(key) is not None])}
            for name, rows in result.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, ".build/release/petrel"))
    parser.add_argument("--folder", default=os.path.join(ROOT, ".build/bench-browser"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", help="where the figures go too")
    options = parser.parse_args()
    options.quick, options.case, options.role = False, None, None
    if options.seconds <= RAMP_SECONDS + 5:
        parser.error(f"the browser's ramp alone takes {RAMP_SECONDS:.0f} s")
    context, runs = Context(options), []
    kinds = {
        "Chromium offers, Petrel answers": lambda folder: petrel_run(context, "offerer", folder, options.seconds),
        "Petrel offers, Chromium answers": lambda folder: petrel_run(context, "answerer", folder, options.seconds),
        "Chromium with Chromium": lambda folder: control_run(context, folder, options.seconds),
    }
    for number in range(options.runs):
        for index, (kind, measure) in enumerate(kinds.items()):
            load = os.getloadavg()[0]
            directions, others = measure(os.path.join(options.folder, f"{number}-{index}"))
            runs.append({"call": kind, "run": number + 1, "others": round(others, 3), "load": round(load, 1),
                         "directions": directions})
            print(f"{kind}, run {number + 1} (other programs took {others:.0%} of the machine)", flush=True)
            for name, figures in directions.items():
                print(f"    {name}: {json.dumps(figures)}", flush=True)
    context.server.close()
    medians = summary(runs)
    print(f"\nMedians of {options.runs} runs of {options.seconds:.0f} s; rates after {RAMP_SECONDS:.0f} s; others took "
          f"{min(run['others'] for run in runs):.0%} to {max(run['others'] for run in runs):.0%} of the machine")
    for name, figures in medians.items():
        print(f"    {name}: {json.dumps(figures)}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"date": time.strftime("%Y-%m-%d"), "chromium": Chromium.version(), "runs": runs,
                       "medians": medians}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
