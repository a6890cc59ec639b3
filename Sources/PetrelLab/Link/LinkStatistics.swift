public import PetrelCore

/// Why a datagram did not arrive.
public enum LossReason: UInt8, CaseIterable, Hashable, Sendable {
    /// Independent random loss.
    case random
    /// Loss in a burst of the Gilbert-Elliott chain.
    case burst
    /// The queue before the capacity was full.
    case queueFull
    /// The link was out.
    case outage
    /// Larger than the MTU.
    case tooLarge
    /// Nobody is at the destination: no route, an endpoint that has vanished, an address mapping that is dead.
    case unreachable
    /// The emulator itself had no memory left for another datagram in flight.
    case bufferFull
}

/// What has become of one datagram that was sent into a link.
public enum Passage: Hashable, Sendable {
    /// It arrives then.
    case arrives(Instant)
    /// It arrives twice; the second instant is that of the copy and may be the earlier one.
    case arrivesTwice(Instant, Instant)
    /// It does not arrive.
    case lost(LossReason)
}

/// What a link has done so far.
public struct LinkStatistics: Sendable {
    /// Runs longer than this are counted in its last place of ``bursts(ofLength:)``.
    public static let longestBurstCounted = 64

    /// Datagrams sent into the link.
    public internal(set) var offered: UInt64 = 0
    /// Datagrams that arrive, each counted once.
    public internal(set) var delivered: UInt64 = 0
    /// Second copies that arrive as well.
    public internal(set) var duplicated: UInt64 = 0
    /// Bytes sent into the link.
    public internal(set) var bytesOffered: UInt64 = 0
    /// Bytes that arrive, without copies.
    public internal(set) var bytesDelivered: UInt64 = 0
    /// The longest time from a datagram's entry into the queue to the end of its transmission.
    public internal(set) var maximumQueueDelay = TimeDelta.zero
    /// The longest run of consecutive datagrams that were lost, whatever the reason.
    public internal(set) var longestBurst: UInt64 = 0
    /// The number of runs of lost datagrams that have ended.
    public internal(set) var burstCount: UInt64 = 0

    private var losses = InlineArray<8, UInt64>(repeating: 0)
    private var bursts = InlineArray<64, UInt64>(repeating: 0)
    private var run: UInt64 = 0
    private var lostInEndedRuns: UInt64 = 0

    public init() {}

    /// Datagrams lost for this reason.
    public func lost(_ reason: LossReason) -> UInt64 { losses[Int(reason.rawValue)] }

    /// Datagrams lost for any reason.
    public var lost: UInt64 { LossReason.allCases.reduce(0) { $0 &+ lost($1) } }

    /// The share of the datagrams offered that was lost, 0 to 1; nil before the first.
    public var lossRate: Double? { offered == 0 ? nil : Double(lost) / Double(offered) }

    /// The mean length of the runs of lost datagrams that have ended; nil before the first.
    public var meanBurst: Double? { burstCount == 0 ? nil : Double(lostInEndedRuns) / Double(burstCount) }

    /// The number of runs of this many lost datagrams (at least this many, at ``longestBurstCounted``).
    public func bursts(ofLength length: Int) -> UInt64 {
        (1...Self.longestBurstCounted).contains(length) ? bursts[length - 1] : 0
    }

    mutating func countOffer(bytes: Int) {
        offered &+= 1
        bytesOffered &+= UInt64(bytes)
    }

    mutating func countLoss(_ reason: LossReason) {
        losses[Int(reason.rawValue)] &+= 1
        run &+= 1
        longestBurst = max(longestBurst, run)
    }

    mutating func countDelivery(bytes: Int) {
        delivered &+= 1
        bytesDelivered &+= UInt64(bytes)
        guard run > 0 else { return }
        burstCount &+= 1
        lostInEndedRuns &+= run
        bursts[Int(min(run, UInt64(Self.longestBurstCounted))) - 1] &+= 1
        run = 0
    }
}
