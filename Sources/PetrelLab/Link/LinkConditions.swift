public import PetrelCore

/// What one direction of a network does to datagrams at one time.
///
/// A size is that of the UDP payload: headers below it are not counted by ``rate`` or ``mtu``.
public struct LinkConditions: Hashable, Sendable {
    /// How long the bad state of the burst loss lasts on average.
    public enum BurstLength: Hashable, Sendable {
        /// The mean number of consecutive packets lost: the chain takes one step per packet.
        case packets(Double)
        /// The mean length in time: the chain runs on the clock, as a fade of a radio does, whatever is sent.
        case time(TimeDelta)
    }

    /// The one-way delay without queueing.
    public var delay: TimeDelta
    /// The standard deviation of a normally distributed addition to the delay, cut off where the sum would be
    /// negative.
    public var jitter: TimeDelta
    /// Whether jitter may let a packet overtake another. Otherwise a packet arrives no earlier than the one before,
    /// so that packets sent closely together all wait for the slowest: the mean delay grows and its deviation falls.
    public var reorders: Bool
    /// Independent random loss, in percent of the packets.
    public var loss: Double
    /// Loss in bursts, in percent of the packets (of the time, where ``burst`` is a time): a two-state
    /// Gilbert-Elliott chain that loses everything in its bad state and nothing in its good one.
    public var burstLoss: Double
    /// The mean length of a burst of ``burstLoss``.
    public var burst: BurstLength
    /// The capacity; nil where it is unlimited.
    public var rate: DataRate?
    /// The length of the drop-tail queue in front of the capacity, as the time it takes to drain at ``rate``.
    public var queue: TimeDelta
    /// How many packets arrive twice, in percent.
    public var duplication: Double
    /// The largest size in bytes that passes; nil where every size does.
    public var mtu: Int?

    /// Conditions that differ from a perfect link (no delay, no loss, no limit) by the arguments given.
    public init(
        delay: TimeDelta = .zero, jitter: TimeDelta = .zero, reorders: Bool = false, loss: Double = 0,
        burstLoss: Double = 0, burst: BurstLength = .packets(3), rate: DataRate? = nil,
        queue: TimeDelta = .milliseconds(200), duplication: Double = 0, mtu: Int? = nil
    ) {
        self.delay = delay
        self.jitter = jitter
        self.reorders = reorders
        self.loss = loss
        self.burstLoss = burstLoss
        self.burst = burst
        self.rate = rate
        self.queue = queue
        self.duplication = duplication
        self.mtu = mtu
    }

    /// The nearest conditions that the text language can express: what a ``Link`` works with and what is printed.
    public var clamped: LinkConditions {
        var result = self
        for key in LinkKey.allCases where key != .outage {
            // burst and burstms are two spellings of one value: only the one in use is read and written.
            if let value = result.value(of: key) { result.set(key, to: key.clamp(value)) }
        }
        if case .packets(let packets) = result.burst {
            result.burst = .packets(max(packets, Self.shortestBurst(atLoss: result.burstLoss)))
        }
        return result
    }

    /// The shortest mean burst in packets with which `percent` of all packets can be lost: even if every good
    /// packet is followed by a bad one, a share p needs bursts of p / (1 - p).
    static func shortestBurst(atLoss percent: Double) -> Double {
        let share = min(0.99, max(0, percent / 100))
        // Rounded up to the six decimals of the text language.
        return max(1, (share / (1 - share) * 1e6 - 1e-3).rounded(.up) / 1e6)
    }

    /// The value of `key` in millionths of its unit; nil for the spelling of the burst that is not in use.
    func value(of key: LinkKey) -> Int64? {
        switch key {
        case .delay: delay.nanoseconds
        case .jitter: jitter.nanoseconds
        case .reorder: reorders ? 1_000_000 : 0
        case .loss: Self.millionths(loss)
        case .ge: Self.millionths(burstLoss)
        case .burst: if case .packets(let packets) = burst { Self.millionths(packets) } else { nil }
        case .burstms: if case .time(let time) = burst { time.nanoseconds } else { nil }
        case .rate: rate.map { max(1, min($0.bitsPerSecond, 1_000_000_000_000)) * 1000 } ?? 0
        case .queue: queue.nanoseconds
        case .dup: Self.millionths(duplication)
        case .mtu: mtu.map { Int64(max(1, min($0, 1_000_000))) * 1_000_000 } ?? 0
        case .outage: nil
        }
    }

    /// Sets the value of `key` from millionths of its unit.
    mutating func set(_ key: LinkKey, to value: Int64) {
        switch key {
        case .delay: delay = TimeDelta(nanoseconds: value)
        case .jitter: jitter = TimeDelta(nanoseconds: value)
        case .reorder: reorders = value != 0
        case .loss: loss = Double(value) / 1e6
        case .ge: burstLoss = Double(value) / 1e6
        case .burst: burst = .packets(Double(value) / 1e6)
        case .burstms: burst = .time(TimeDelta(nanoseconds: value))
        case .rate: rate = value == 0 ? nil : DataRate(bitsPerSecond: (value + 500) / 1000)
        case .queue: queue = TimeDelta(nanoseconds: value)
        case .dup: duplication = Double(value) / 1e6
        case .mtu: mtu = value == 0 ? nil : Int(value / 1_000_000)
        case .outage: break
        }
    }

    private static func millionths(_ value: Double) -> Int64 {
        value.isNaN ? 0 : Int64((min(max(value, 0), 1e9) * 1e6).rounded())
    }
}
