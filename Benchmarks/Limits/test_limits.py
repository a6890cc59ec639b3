"""Limits against closed forms, other ways to compute them, and simulation."""

import math
import unittest

import numpy as np

import limits


def binomial_below(n, k, p):
    """P(fewer than k of n arrive)."""
    return sum(math.comb(n, m) * (1 - p) ** m * p ** (n - m) for m in range(k))


class Arrivals(unittest.TestCase):
    def test_independent_loss_is_binomial(self):
        table = limits.arrivals(0.3, packets=40)
        for n in (1, 8, 21, 40):
            for k in (1, 4, 8):
                self.assertAlmostEqual(table[n, :k].sum(), binomial_below(n, k, 0.3), 12)

    def test_a_chain_without_memory_is_independent_loss(self):
        # With burst = 1 / (1 - p) the next packet is lost with p whatever became of the last.
        self.assertTrue(np.allclose(limits.arrivals(0.3, 1 / 0.7, 60), limits.arrivals(0.3, None, 60)))

    def test_all_lost_in_a_burst_has_a_closed_form(self):
        # n in a row are lost: the first with p, each further one with 1 - 1 / burst.
        table = limits.arrivals(0.3, 8, 30)
        for n in (1, 2, 10, 30):
            self.assertAlmostEqual(table[n, 0], 0.3 * (1 - 1 / 8) ** (n - 1), 12)

    def test_bursts_against_simulation(self):
        random = np.random.default_rng(1)
        enter, leave = limits.chain(0.3, 3)
        runs = 200_000
        bad = random.random(runs) < 0.3
        got = np.where(bad, 0, 1)
        for _ in range(11):
            draw = random.random(runs)
            bad = np.where(bad, draw >= leave, draw < enter)
            got += ~bad
        table = limits.arrivals(0.3, 3, 12)
        for k in (4, 8):
            self.assertAlmostEqual((got < k).mean(), table[12, :k].sum(), delta=0.005)


class Frames(unittest.TestCase):
    def test_one_volley_of_known_size(self):
        # Eight packets at 30 %: 21 have to be sent for 99.9 %, as the sum of binomial terms says.
        self.assertLessEqual(binomial_below(21, 8, 0.3), 0.001)
        self.assertGreater(binomial_below(20, 8, 0.3), 0.001)
        table = limits.arrivals(0.3)
        self.assertEqual(limits.least_volley(table, 8), 21)
        self.assertAlmostEqual(limits.expansion({8: 1}, table, 0), 21 / 8, 9)

    def test_nothing_lost_costs_nothing(self):
        table = limits.arrivals(0.0)
        self.assertAlmostEqual(limits.expansion({3: 5, 8: 7}, table, 1), 1, 9)

    def test_never_below_the_capacity_and_never_dearer_with_more_rounds(self):
        for loss in (0.1, 0.3, 0.5):
            for burst in (None, 3, 8):
                table = limits.arrivals(loss, burst)
                found = [limits.expansion({8: 1}, table, rounds) for rounds in range(3)]
                # Broken frames need not be paid for to the end.
                self.assertGreater(found[2], limits.capacity(loss) * (1 - 2 * limits.BROKEN_FRAMES) - 0.01)
                self.assertEqual(found, sorted(found, reverse=True))

    def test_one_packet_and_one_round_against_all_plans(self):
        # A frame of one packet: n first, and where none comes n1 more; broken with p^(n + n1).
        table = limits.arrivals(0.3)
        best = min(
            n + 0.3**n * more
            for n in range(1, 12)
            for more in range(0, 12)
            if 0.3 ** (n + more) <= limits.BROKEN_FRAMES
        )
        self.assertAlmostEqual(limits.expansion({1: 1}, table, 1), best, 9)

    def test_a_plan_against_simulation(self):
        table = limits.arrivals(0.3)
        limit = limits.expansion({8: 1}, table, 1)
        self.assertAlmostEqual(limit, 1.71, delta=0.02)
        # A plan of the same kind, played: it keeps the failures allowed, and is no cheaper than the limit.
        random = np.random.default_rng(2)
        missing = np.maximum(0, 8 - random.binomial(12, 0.7, 400_000))
        sizes = np.array([0] + [limits.least_volley(table, j, 0.003) for j in range(1, 9)])
        again = sizes[missing]
        broken = (random.binomial(again, 0.7) < missing).mean()
        self.assertLess(broken, 0.0011)
        self.assertGreater(12 / 8 + again.mean() / 8, limit - 0.005)
        self.assertLess(12 / 8 + again.mean() / 8, limit + 0.05)

    def test_mixed_sizes_lie_between(self):
        table = limits.arrivals(0.3)
        small, large = limits.expansion({4: 1}, table, 1), limits.expansion({16: 1}, table, 1)
        mixed = limits.expansion({4: 1, 16: 1}, table, 1)
        self.assertTrue(large < mixed < small)


class Sound(unittest.TestCase):
    def test_copies(self):
        self.assertAlmostEqual(limits.sound_lost(0.3, 3), 0.3**4)
        # Far apart, copies in bursts are as good as independent ones; side by side they are lost together.
        self.assertAlmostEqual(limits.sound_lost(0.3, 2, 8, 1000), 0.3**3, 6)
        self.assertAlmostEqual(limits.sound_lost(0.3, 1, 8, 1), 0.3 * (1 - 1 / 8), 12)
        self.assertAlmostEqual(limits.sound_lost(0.7, 2, 3, 7.5), 0.7**3, 6)


class Rounds(unittest.TestCase):
    def test_rounds(self):
        self.assertEqual([limits.rounds_within(e, 100) for e in (-5, 114, 115, 229, 230)], [0, 0, 1, 1, 2])


if __name__ == "__main__":
    unittest.main()
