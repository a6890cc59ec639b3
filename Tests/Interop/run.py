#!/usr/bin/env python3
"""Calls between Petrel and other stacks, with real programs: Chromium, Firefox, aiortc, GStreamer.

    .venv/bin/python Tests/Interop/run.py [--program .build/release/petrel] [--quick] [--write] [stack ...]

Every case prints a line when it begins and one with what came of it. Exit code 1 where a case failed or a stack is
missing. `--write` brings docs/interop.md up to date.
"""
import argparse
import importlib
import itertools
import json
import os
import sys
import time
from dataclasses import asdict

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import matrix  # noqa: E402
import media  # noqa: E402
import sessions  # noqa: E402
from matrix import ROOT, Result  # noqa: E402
from web import RigServer  # noqa: E402

# name: (module, the browser in it); a module without one has a `run(context, name)` that yields Results.
STACKS = {
    "chromium": ("chromium", "Chromium"),
    "firefox": ("firefox", "Firefox"),
    "aiortc": ("stacks", None),
    "gstreamer": ("stacks", None),
    "whip": ("whip_pyav", None),
}


class Context:
    """What a stack's module is given: the program, the film and the speech, a folder, and which cases are wanted."""

    def __init__(self, options):
        self.program = os.path.realpath(options.program)
        self.folder = os.path.abspath(options.folder)
        self.quick = options.quick
        self.case = options.case
        self.role = options.role
        self.clip, self.speech = media.CLIP, media.SPEECH
        self.server = RigServer()
        self._numbers = itertools.count()

    def wants(self, case):
        return not self.case or self.case in case

    def tag(self):
        return f"page{next(self._numbers)}"

    def progress(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text} ...", file=sys.stderr, flush=True)


def cases(stack, context):
    module, browser = STACKS[stack]
    module = importlib.import_module(module)
    return sessions.run(getattr(module, browser), context) if browser else module.run(context, stack)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stacks", nargs="*", metavar="stack", help=", ".join(STACKS) + "; all without")
    parser.add_argument("--program", default=os.path.join(ROOT, ".build/release/petrel"))
    parser.add_argument("--folder", default=os.path.join(ROOT, ".build/interop"), help="what the ends saw and heard")
    parser.add_argument("--quick", action="store_true", help="the cases of CI")
    parser.add_argument("--write", action="store_true", help="bring docs/interop.md up to date")
    parser.add_argument("--case", help="only cases whose names hold this text")
    parser.add_argument("--role", choices=("offerer", "answerer"), help="only this role of the other stack")
    options = parser.parse_args()
    unknown = [name for name in options.stacks if name not in STACKS]
    if unknown:
        parser.error(f"no stack is called {unknown[0]}: {', '.join(STACKS)}")
    if not os.access(options.program, os.X_OK):
        parser.error(f"{options.program} is no program: make build, or --program")
    os.makedirs(options.folder, exist_ok=True)
    context, results = Context(options), []
    for stack in options.stacks or STACKS:
        try:
            for result in cases(stack, context):
                results.append(result)
                print(result.line(), flush=True)
        except Exception as error:
            # A stack that is not there is a failure too: a check left out is a check failed.
            results.append(Result(stack, "-", "-", "start", failures=[f"{type(error).__name__}: {error}"]))
            print(results[-1].line(), flush=True)
    context.server.close()
    with open(os.path.join(context.folder, "results.json"), "w") as file:
        json.dump([asdict(result) for result in results], file, indent=1, default=float)
    if options.write:
        matrix.write([result for result in results if result.case != "start"])
    failed = [result for result in results if not result.passed]
    print(f"{len(results) - len(failed)} of {len(results)} cases passed", file=sys.stderr)
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
