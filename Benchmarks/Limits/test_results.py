"""Cells, their verdicts and the page, from results made up by hand."""

import json
import os
import tempfile
import unittest

import report
import results


def run(loss, psnr=41.0, kbps=1790.0, p99=210.0, expansion=1.7, freezes=0, seed=1, revision="r", model="random", **video):
    way = {
        "video": {
            "width": 1280, "height": 720, "framesSent": 3500, "framesRendered": 3499, "fps": 29.9, "fpsP5": 29,
            "framesNeverShown": 1, "freezes": freezes, "longestGapMs": 90, "latencyMs": {"p50": 200, "p95": 205, "p99": p99},
            "psnrY": psnr, "ssim": 0.98, "bitrateKbps": kbps,
        } | video,
        "audio": {"latencyMs": {"p50": 150, "p95": 160, "p99": 170}, "concealedPercent": 0.1, "recoveredPercent": 20,
                  "interruptions": 0, "bitrateKbps": 32},
        "avSkewMs": {"p50": 10, "p95Abs": 20, "firstInSyncMs": 0},
        "network": {"packetsSent": 60000, "packetsLostPercent": loss, "mediaBytes": 27_000_000, "wireBytes": 50_000_000,
                    "expansion": 1.8, "videoExpansion": expansion, "nacks": 0, "plis": 0, "queueDelayMs": {"p95": 2}},
    }
    extra = {"skewP5Ms": -20, "skewP95Ms": 30, "meanBurst": 1.4, "keyFrames": 1, "packetsPerFrame": {"7": 3000, "8": 500}}
    cell = {"loss": loss, "model": model, "rtt": 100, "rateKbps": 12000, "queueMs": 100, "seconds": 120, "height": 720,
            "revision": revision}
    return {"key": f"{loss}{seed}{revision}", "cell": cell,
            "report": {"seed": seed, "directions": [dict(way, name="a"), dict(way, name="b")]}, "extra": [extra, extra]}


class Verdicts(unittest.TestCase):
    def verdict(self, *runs):
        found = results.cells(list(runs))
        return report.verdict(found[-1], found)

    def test_a_good_cell_passes(self):
        self.assertEqual(self.verdict(run(0, p99=80, expansion=1.01), run(30)), ("PASS", []))

    def test_each_goal_can_be_missed(self):
        for change, word in (
            (dict(p99=222.0), "latency P99"), (dict(expansion=1.76), "expansion"), (dict(freezes=1), "freezes"),
            (dict(fps=28.9), "fps"), (dict(psnr=39.9), "psnrY"), (dict(kbps=1699.0), "media"), (dict(height=540), "height"),
        ):
            verdict, why = self.verdict(run(0), run(30, **change))
            self.assertEqual(verdict, "MISS")
            self.assertEqual(len(why), 1, why)
            self.assertTrue(why[0].startswith(word), why)

    def test_without_a_run_without_loss_nothing_counts(self):
        self.assertEqual(self.verdict(run(30))[0], "MISS")

    def test_a_call_without_a_picture_is_a_freeze_as_long_as_the_call(self):
        blind = run(30, psnr=None)
        for way in blind["report"]["directions"]:
            for field in ("width", "height", "fps", "fpsP5", "freezes", "longestGapMs"):
                way["video"][field] = None
            way["video"]["latencyMs"] = {"p50": None, "p95": None, "p99": None}
            way["video"]["framesNeverShown"] = 3500
        found = results.cells([run(0), blind])
        self.assertEqual(found[1].gap, 120_000)
        self.assertEqual(found[1].freezes, 0.5)
        self.assertEqual(report.verdict(found[1], found)[0], "MISS")

    def test_means_are_over_runs_and_directions(self):
        found = results.cells([run(0), run(30, p99=200.0), run(30, p99=220.0, seed=2)])
        self.assertEqual(found[1].latency["p99"], 210)
        self.assertEqual(found[1].seeds, [1, 2])
        # Seven packets for six frames in seven, else eight; one round fits into 210 - 50 - 11 ms.
        self.assertEqual(found[1].rounds, 1)
        self.assertTrue(1.70 < found[1].limit < 1.76)


class Files(unittest.TestCase):
    def test_half_a_line_and_other_revisions_are_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.jsonl")
            with open(path, "w", encoding="utf-8") as file:
                for each in (run(0, revision="old"), run(0), run(30)):
                    file.write(json.dumps(each) + "\n")
                file.write('{"key": "half')
            revision, runs = results.read(path)
            self.assertEqual((revision, len(runs)), ("r", 2))
            self.assertEqual(len(results.read(path, "old")[1]), 1)

    def test_the_page_holds_every_cell_and_needs_no_other_file(self):
        found = results.cells([run(0), run(30), run(30, model="burst3"), run(70, expansion=None, p99=None, psnr=None)])
        text = report.page(found, run(30))
        for part in ("bursts of 3", "12 Mbit/s", "queue of 100 ms", "Round trip 100 ms", "<svg", "PASS", "MISS"):
            self.assertIn(part, text)
        for part in ("<script", "src=", "href="):
            self.assertNotIn(part, text)


if __name__ == "__main__":
    unittest.main()
