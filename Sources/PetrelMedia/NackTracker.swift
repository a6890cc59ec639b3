public import PetrelCore

/// Which packets of one stream are missing, and when to ask for them (again).
///
/// A gap is asked for at once, and again as long as it may still help: a request is lost as easily as a packet, so it
/// is repeated faster than the round trip; the sender leaves out what it has just sent again.
public struct NackTracker: Sendable {
    /// The most packets missed at once. Beyond it the stream is better helped by a key frame.
    public static let limit = 512
    /// Requests for one packet: ten lose all to 30 % loss once in 170,000.
    static let maximumTries = 20
    /// The shortest time between two requests for one packet.
    static let shortestInterval = TimeDelta.milliseconds(20)
    /// A packet missing for longer is given up: whatever showed it has moved on.
    static let longestWait = TimeDelta.milliseconds(1500)

    private struct Missing: Sendable {
        var sequence: Int64
        var noticed: Instant
        var asked: Instant
        var tries: Int
    }

    private var missing: [Missing] = []
    private var highest: Int64?

    public init() { missing.reserveCapacity(Self.limit) }

    /// Whether nothing is missing.
    public var isEmpty: Bool { missing.isEmpty }

    /// Whether this packet is missing and was asked for.
    func isAsked(_ sequence: Int64) -> Bool { missing.contains { $0.sequence == sequence && $0.tries > 0 } }

    /// Takes note of an arrival. False where the gap before it is too long to ask for: only a key frame helps.
    public mutating func received(_ sequence: Int64, now: Instant) -> Bool {
        guard let highest else {
            self.highest = sequence
            return true
        }
        if sequence <= highest {
            missing.removeAll { $0.sequence == sequence }
            return true
        }
        self.highest = sequence
        let gap = sequence - highest - 1
        guard gap > 0 else { return true }
        guard gap + Int64(missing.count) <= Int64(Self.limit) else {
            missing.removeAll(keepingCapacity: true)
            return false
        }
        for lost in (highest + 1)..<sequence {
            missing.append(Missing(sequence: lost, noticed: now, asked: .distantPast, tries: 0))
        }
        return true
    }

    /// Takes the `count` packets before `sequence` for missing: to be called before the first arrival, where that one
    /// shows that something came before it.
    public mutating func expect(before sequence: Int64, count: Int64, now: Instant) {
        guard highest == nil else { return }
        highest = sequence - 1
        for lost in max(0, sequence - count)..<max(0, sequence) {
            missing.append(Missing(sequence: lost, noticed: now, asked: .distantPast, tries: 0))
        }
    }

    /// Nothing before `sequence` is needed any more.
    public mutating func forget(before sequence: Int64) {
        missing.removeAll { $0.sequence < sequence }
    }

    /// Forgets everything.
    public mutating func reset() {
        missing.removeAll(keepingCapacity: true)
        highest = nil
    }

    /// Appends to `due` the packets to ask for now, in order.
    public mutating func collect(now: Instant, roundTrip: TimeDelta, into due: inout [UInt16]) {
        missing.removeAll { $0.tries >= Self.maximumTries || now - $0.noticed > Self.longestWait }
        let interval = Self.interval(roundTrip)
        for index in missing.indices where now - missing[index].asked >= interval {
            missing[index].asked = now
            missing[index].tries += 1
            due.append(UInt16(truncatingIfNeeded: missing[index].sequence))
        }
    }

    /// When ``collect(now:roundTrip:into:)`` has something to say.
    public func nextDeadline(roundTrip: TimeDelta) -> Instant {
        let interval = Self.interval(roundTrip)
        return missing.reduce(.distantFuture) { min($0, $1.tries == 0 ? $1.noticed : $1.asked + interval) }
    }

    private static func interval(_ roundTrip: TimeDelta) -> TimeDelta {
        max(shortestInterval, roundTrip / 3)
    }
}
