"""The matrix of what Petrel was tried with: docs/interop.json holds the newest result of each case, docs/interop.md is
made from it. Every stack's module hands its cases over as `Result`s; nothing is written by hand."""
import json
import os
import time
from dataclasses import asdict, dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.path.join(ROOT, "docs", "interop.json")
PAGE = os.path.join(ROOT, "docs", "interop.md")


@dataclass
class Result:
    """One case with one stack.

    `role` is the other stack's: "offerer" or "answerer". `to_petrel`, `from_petrel`: {"video": video_report,
    "audio": audio_report} of checks.py, what was judged in each direction. `failures`: sentences, empty where it passed.
    `notes`: figures or facts worth a line, by name.
    """
    stack: str
    version: str
    role: str
    case: str = "call"
    to_petrel: dict = field(default_factory=dict)
    from_petrel: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)
    notes: dict = field(default_factory=dict)
    seconds: float = 0.0
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))

    @property
    def passed(self):
        return not self.failures

    @property
    def key(self):
        return (self.stack, self.case, self.role)

    def line(self):
        """One line for the terminal."""
        words = [f"{self.stack} {self.version} {self.role}, {self.case}:", "passed" if self.passed else "FAILED"]
        words.append(f"in {self.seconds:.0f} s;" if self.seconds else ";")
        words += [f"to Petrel {figures(self.to_petrel)};", f"from Petrel {figures(self.from_petrel)}"]
        words += [f"{name} {value}" for name, value in self.notes.items()]
        return " ".join(words) + "".join(f"\n    - {failure}" for failure in self.failures)


def figures(direction):
    """The figures of a direction in a few words."""
    words = []
    video, audio = direction.get("video"), direction.get("audio")
    if video:
        words.append(f"{video['fps']} fps {video['height']}p, {video['readable']:.0%} read")
        if video.get("latencyP50") is not None:
            words.append(f"{video['latencyP50']:.0f} ms")
    if audio:
        words.append(f"sound {audio['levelDb']:.0f} dB, r {audio['correlation']:.2f}")
        if audio.get("delayP50") is not None:
            words.append(f"{audio['delayP50']:.0f} ms")
    return ", ".join(words) or "-"


def read(path=DATA):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [Result(**entry) for entry in json.load(file)["results"]]


def write(results, data=DATA, page=PAGE):
    """Adds results to the data, in the place of older ones of the same cases, and makes the page anew."""
    known = {result.key: result for result in read(data)}
    for result in results:
        known[result.key] = result
    ordered = sorted(known.values(), key=lambda result: (result.stack, result.case != "call", result.case, result.role))
    with open(data, "w") as file:
        json.dump({"schema": 1, "results": [asdict(result) for result in ordered]}, file, indent=1, default=float)
        file.write("\n")
    with open(page, "w") as file:
        file.write(markdown(ordered))


def markdown(results):
    lines = [
        "# What Petrel talks to", "",
        "Written by `make interop` (Tests/Interop), from docs/interop.json; not by hand. Each call carries the 720p clip "
        "at 25 pictures a second with a stamp in each picture, and recorded speech, both ways; both ends are judged by "
        "what they decoded. \"Role\" is the other stack's. A direction reads: pictures per second, height, share of the "
        "stamps that could be read, median time from capture to display; level of the sound, correlation with what was "
        "said, median delay. Load is that of the machine (one-minute average, two cores for both ends).", "",
        "| stack | version | role | case | result | to Petrel | from Petrel | load | date |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        outcome = "passed" if result.passed else "failed: " + "; ".join(result.failures)
        cells = [result.stack, result.version, result.role, result.case, outcome, figures(result.to_petrel),
                 figures(result.from_petrel), f"{result.load}", result.date]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    noted = [result for result in results if result.notes]
    if noted:
        lines += ["", "## Beside the pictures and the sound", ""]
        for result in noted:
            facts = "; ".join(f"{name} {value}" for name, value in result.notes.items())
            lines.append(f"- {result.stack}, {result.role}, {result.case}: {facts}")
    return "\n".join(lines) + "\n"
