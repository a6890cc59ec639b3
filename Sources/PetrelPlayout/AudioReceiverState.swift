/// The clock of the pulls: 10 ms each, steadied against the irregular times at which a device asks.
struct PullClock {
    private(set) var time = 0.0
    /// How far before the steady clock pulls came lately, in ticks: packets must be here that much earlier.
    private(set) var lead = 0.0
    private var started = false
    /// Beyond this the pulls were interrupted: 100 ms.
    private static let slip = 4800.0

    var ticks: Int64 { Int64(time) }

    mutating func advance(to now: Int64) {
        guard started else {
            started = true
            time = Double(now)
            return
        }
        time += Double(AudioTicks.block)
        let error = Double(now) - time
        if abs(error) > Self.slip {
            time = Double(now)
            lead = 0
        } else {
            time += error / 32
            lead = max(lead * 0.999, -error - 24)
        }
    }
}

/// Packets that do not fit the timeline: strays are dropped, but where they agree with each other they are the
/// timeline.
struct Suspicion {
    private(set) var count = 0
    private var offset: Int64 = 0
    private var firstArrival: Int64 = 0
    /// Packets agree when their delays differ by less: 500 ms.
    private static let agreement: Int64 = 24_000
    /// Late packets must keep coming this long before the timeline moves back: 150 ms.
    private static let patience: Int64 = 7200

    mutating func clear() { count = 0 }

    /// Takes in a packet that cannot be played; true when the timeline is wrong and not the packet.
    mutating func isConfirmed(by offset: Int64, at arrival: Int64, early: Bool) -> Bool {
        if count == 0 || abs(offset - self.offset) > Self.agreement {
            count = 1
            self.offset = offset
            firstArrival = arrival
            return false
        }
        count += 1
        return early || (count >= 3 && arrival - firstArrival >= Self.patience)
    }
}

/// The least of the values of the last two parts of time.
struct RecentLeast {
    private var older = Int64.max
    private var newer = Int64.max
    private var start = Int64.min
    private let partLength: Int64

    init(partLength: Int64) { self.partLength = partLength }

    /// The least value of at least one and at most two parts; a small one while there are none.
    var value: Int64 { min(older, newer) == .max ? 0 : min(older, newer) }

    mutating func add(_ value: Int64, at time: Int64) {
        if start == .min { start = time }
        if time - start >= partLength {
            older = newer
            newer = .max
            start = time
        }
        newer = min(newer, value)
    }

    /// Every value since became `change` less.
    mutating func lower(by change: Int64) {
        if older != .max { older -= change }
        if newer != .max { newer -= change }
    }

    mutating func reset() {
        older = .max
        newer = .max
        start = .min
    }
}

/// How fast playout may leave its natural speed: a bucket of samples that fills with time.
struct StretchBudget {
    private var removable = 0.0
    private var insertable = 0.0
    /// For how many pulls a stretch has been wanted and found no seam.
    private(set) var wanted = 0
    private var pause = 0

    /// One pull passes.
    /// - Parameters:
    ///   - excess: samples too many in the buffer (negative: too few).
    mutating func pass(excess: Int64) {
        if pause > 0 { pause -= 1 }
        // 3 % of time, and all that is beyond 20 ms within a second; at most 30 %.
        let faster = min(144, 14.4 + Double(max(0, excess - 960)) * 0.01)
        let slower = min(96, 14.4 + Double(max(0, -excess)) * 0.03)
        removable = min(720, removable + faster)
        insertable = min(720, insertable + slower)
    }

    var mayRemove: Int { pause > 0 ? 0 : Int(removable) }
    var mayInsert: Int { pause > 0 ? 0 : Int(insertable) }

    mutating func removed(_ samples: Int) {
        removable -= Double(samples)
        wanted = 0
        pause = 3
    }

    mutating func inserted(_ samples: Int) {
        insertable -= Double(samples)
        wanted = 0
        pause = 3
    }

    mutating func failed() { wanted += 1 }
    mutating func content() { wanted = 0 }
}

/// The packets played lately, so that a duplicate is not taken for a late packet: it says nothing about delay.
struct RecentPackets {
    private var slots = InlineArray<512, Int64>(repeating: .min)

    func contains(timestamp: Int64, sequence: Int64) -> Bool {
        slots[Self.slot(timestamp)] == Self.key(timestamp, sequence)
    }

    /// A packet displaces another of the same slot; a duplicate of what is forgotten counts as late, nothing worse.
    mutating func insert(timestamp: Int64, sequence: Int64) {
        slots[Self.slot(timestamp)] = Self.key(timestamp, sequence)
    }

    private static func key(_ timestamp: Int64, _ sequence: Int64) -> Int64 {
        timestamp ^ (sequence &* 0x2545_F491_4F6C_DD1D)
    }

    private static func slot(_ timestamp: Int64) -> Int {
        Int((UInt64(bitPattern: timestamp) &* 0x9E37_79B9_7F4A_7C15) >> 55)
    }
}
