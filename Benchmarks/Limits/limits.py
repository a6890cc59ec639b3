"""What loss allows at best: the limits that Benchmarks compares calls with. Needs numpy.

A frame of k packets is whole as soon as any k different packets of its (ideal) code have come. The sender sends a first
volley; after each round trip it knows how many are missing and sends a volley of the size that this wants, up to a
number of rounds. Of all such plans the cheapest is found under which a frame stays broken with at most the probability
allowed (0.1 %), by dynamic programming over the packets missing, with a price on a broken frame (Lagrange): for one price
all frame sizes are served at once, which shares the failures out over large and small frames as is cheapest.

Loss is independent, or in bursts (Gilbert-Elliott: all is lost in the bad state, nothing in the good one); every volley
begins in the chain's stationary state, since a round trip is many bursts long. Feedback is never lost in this, so it is a
limit for codes that stay within a frame. Codes across frames can come below it where the latency allows; below the
capacity, 1 / (1 - p), nothing can.
"""

import numpy as np

BROKEN_FRAMES = 0.001
# Larger frames cost as many packets each as one of this size: volleys are tabled up to LONGEST_VOLLEY packets.
LARGEST_FRAME = 48
LONGEST_VOLLEY = 640


def chain(loss, burst):
    """Steps of the burst chain: from good to bad, and from bad to good."""
    leave = 1 / burst
    return loss / (1 - loss) * leave, leave


def arrivals(loss, burst=None, packets=LONGEST_VOLLEY, keep=LARGEST_FRAME):
    """arrivals[n, m]: the probability that exactly m < keep of n packets sent in a row arrive."""
    table = np.zeros((packets + 1, keep))
    if burst is None:
        now = np.zeros(keep)
        now[0] = 1
        table[0] = now
        for n in range(1, packets + 1):
            later = now * loss
            later[1:] += now[:-1] * (1 - loss)
            now = table[n] = later
        return table
    enter, leave = chain(loss, burst)
    # By the state in which the last packet met the link; before the first one, the stationary state one step ahead.
    good, bad = np.zeros(keep), np.zeros(keep)
    good[0], bad[0] = 1 - loss, loss
    table[0, 0] = 1
    for n in range(1, packets + 1):
        to_good = good * (1 - enter) + bad * leave
        to_bad = good * enter + bad * (1 - leave)
        if n == 1:
            to_good, to_bad = good, bad
        good = np.zeros(keep)
        good[1:] = to_good[:-1]
        bad = to_bad
        table[n] = good + bad
    return table


def least_volley(table, k, broken=BROKEN_FRAMES):
    """The least n of which at least k arrive but with the probability `broken`; None beyond the table."""
    failures = table[:, :k].sum(axis=1)
    good = np.nonzero(failures <= broken)[0]
    return int(good[0]) if len(good) else None


def cheapest(table, rounds, price):
    """For each number of packets missing 0...LARGEST_FRAME-1+1: packets sent and probability to stay broken, with the
    cheapest plan of one volley and `rounds` more, where a broken frame costs `price` packets."""
    most = table.shape[1]
    cost = np.zeros(most + 1)
    broken = np.ones(most + 1)
    broken[0] = 0
    sizes = np.arange(table.shape[0])
    for _ in range(rounds + 1):
        new_cost, new_broken = np.zeros(most + 1), np.zeros(most + 1)
        for missing in range(1, most + 1):
            # m of n arrive: missing - m are still missing, for m = 0 ... missing - 1; else the frame is whole.
            left = np.arange(missing, 0, -1)
            come = table[:, :missing]
            spent = sizes + come @ cost[left]
            fails = come @ broken[left]
            best = int(np.argmin(spent + price * fails))
            new_cost[missing], new_broken[missing] = spent[best], fails[best]
        cost, broken = new_cost, new_broken
    return cost, broken


def expansion(frames, table, rounds, broken=BROKEN_FRAMES):
    """The least packets sent per media packet for frames of these sizes.

    frames: how many frames there are of how many packets. Answers None where no volley of the table is enough."""
    counts = {}
    for size, count in frames.items():
        size = max(1, int(size))
        counts[min(size, LARGEST_FRAME)] = counts.get(min(size, LARGEST_FRAME), 0) + count
    if not counts:
        return None
    sizes = np.array(sorted(counts))
    weights = np.array([counts[size] for size in sizes], float)

    def at(price):
        cost, fails = cheapest(table, rounds, price)
        return (weights @ cost[sizes]) / (weights @ sizes), (weights @ fails[sizes]) / weights.sum()

    low, high = 0.0, 1.0
    while at(high)[1] > broken:
        low, high = high, high * 4
        if high > 1e9:
            return None
    for _ in range(24):
        middle = (low + high) / 2
        if at(middle)[1] > broken:
            low = middle
        else:
            high = middle
        if high - low < 1e-3 * high:
            break
    return at(high)[0]


def capacity(loss):
    """Below this no code comes, however late."""
    return 1 / (1 - loss)


def rounds_within(excess, round_trip, overhead=15):
    """Feedback rounds that fit into a delay beyond the one-way delay, in ms: each takes a round trip and what it takes to
    notice and to send."""
    return max(0, int(excess // (round_trip + overhead)))


def sound_lost(loss, depth, burst=None, packets_between=1.0):
    """The least share of sound lost when every block is sent `depth` times more, 20 ms apart, without feedback.

    packets_between: datagrams of the link in 20 ms, which says how much of a burst is over by the next one."""
    if burst is None:
        return loss ** (depth + 1)
    enter, leave = chain(loss, burst)
    # A chain that would rather alternate than stay (short bursts at heavy loss) has none left by then.
    memory = max(0.0, 1 - enter - leave) ** packets_between
    return loss * (loss + (1 - loss) * memory) ** depth
