public import PetrelCore

/// What a receiver counts of one source for its reports (RFC 3550 section 6.4.1 and appendix A).
public struct ReceiveStatistics: Sendable {
    /// Packets as they were first sent: those sent again have a sequence of their own (RFC 4588), and would hide loss.
    public private(set) var packetsReceived: UInt64 = 0
    public private(set) var bytesReceived: UInt64 = 0
    public private(set) var headerBytesReceived: UInt64 = 0
    public private(set) var duplicates: UInt64 = 0
    public private(set) var highestSequence: Int64?
    private var firstSequence: Int64 = 0
    private var previousExpected: Int64 = 0
    private var previousReceived: UInt64 = 0
    private var previousTransit: Int64?
    private var jitterSixteenths: Int64 = 0
    private let clockRate: Int64

    public init(clockRate: Int32) { self.clockRate = Int64(max(1, clockRate)) }

    /// Interarrival jitter in ticks of the stream's clock (RFC 3550 section 6.4.1).
    public var jitterTicks: UInt32 { UInt32(clamping: jitterSixteenths >> 4) }
    /// Interarrival jitter as time.
    public var jitter: TimeDelta { .seconds(Double(jitterTicks) / Double(clockRate)) }

    /// Packets expected so far less packets received: negative where duplicates outnumber losses.
    public var packetsLost: Int64 {
        guard let highestSequence else { return 0 }
        return highestSequence &- firstSequence &+ 1 &- Int64(clamping: packetsReceived)
    }

    /// Counts one packet that was authenticated.
    public mutating func received(
        sequence: Int64, timestamp: UInt32, headerBytes: Int, payloadBytes: Int, isRepair: Bool, now: Instant
    ) {
        if !isRepair {
            if highestSequence == nil { firstSequence = sequence }
            packetsReceived &+= 1
        }
        bytesReceived &+= UInt64(clamping: payloadBytes)
        headerBytesReceived &+= UInt64(clamping: headerBytes)
        let isNewest = sequence > (highestSequence ?? .min) && !isRepair
        if isNewest { highestSequence = sequence }
        // A packet sent again says nothing about the jitter of the path.
        guard isNewest, !isRepair else { return }
        let arrival = MediaTime(delta: now - .zero, clockRate: Int32(clockRate)).ticks
        let transit = arrival &- Int64(timestamp)
        if let previousTransit {
            let difference = Int64(Int32(truncatingIfNeeded: transit &- previousTransit)).magnitude
            let bounded = Int64(min(difference, UInt64(clockRate) * 10))
            jitterSixteenths += bounded - ((jitterSixteenths + 8) >> 4)
        }
        previousTransit = transit
    }

    /// Counts a packet that was there already.
    public mutating func countDuplicate() { duplicates &+= 1 }

    /// The loss since the last call, in 1/256 (RFC 3550 appendix A.3).
    public mutating func takeFractionLost() -> UInt8 {
        guard let highestSequence else { return 0 }
        let expected = highestSequence &- firstSequence &+ 1
        let expectedInterval = expected &- previousExpected
        let receivedInterval = Int64(clamping: packetsReceived &- previousReceived)
        previousExpected = expected
        previousReceived = packetsReceived
        let lost = expectedInterval &- receivedInterval
        guard expectedInterval > 0, lost > 0 else { return 0 }
        return UInt8(clamping: (lost << 8) / expectedInterval)
    }
}
