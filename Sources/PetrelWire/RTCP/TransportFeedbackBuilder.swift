public import PetrelCore

/// Collects packets and their arrival into one ``TransportFeedback``.
///
/// Add packets in the order of their sequence numbers; where one does not fit, take the ``feedback`` and begin a new
/// builder with it.
public struct TransportFeedbackBuilder: Sendable {
    /// The longest packet in bytes unless told otherwise: leaves room for SRTCP and for reports beside it in 1,200.
    public static let defaultMaximumLength = 1000

    private var result: TransportFeedback
    private let maximumLength: Int
    /// The arrival of the last received packet, in ticks of the clock.
    private var lastTick: Int64?
    private var deltaBytes = 0

    /// Begins an empty packet.
    public init(
        senderSSRC: UInt32, mediaSSRC: UInt32, feedbackPacketCount: UInt8,
        maximumLength: Int = Self.defaultMaximumLength
    ) {
        result = TransportFeedback(
            senderSSRC: senderSSRC, mediaSSRC: mediaSSRC, baseSequenceNumber: 0, referenceTime: 0,
            feedbackPacketCount: feedbackPacketCount, statuses: [])
        self.maximumLength = maximumLength
    }

    /// The feedback so far; nil where nothing was received, since it would tell no time.
    public var feedback: TransportFeedback? { lastTick == nil ? nil : result }

    /// The number of sequence numbers covered.
    public var count: Int { result.statuses.count }

    /// Adds the packet `sequenceNumber`, that arrived or (nil) did not. Numbers left out since the last one count as
    /// not received.
    /// - Returns: false, with nothing changed, where the number is not ahead of the last one (by less than 32,768),
    ///   where the delta does not fit into 16 bits (8.2 s), or where the packet would grow too long.
    public mutating func add(_ sequenceNumber: UInt16, arrival: Instant?) -> Bool {
        var gap = 0
        if !result.statuses.isEmpty {
            let next = result.baseSequenceNumber &+ UInt16(truncatingIfNeeded: result.statuses.count)
            gap = Int(sequenceNumber &- next)
            guard gap < 0x8000 else { return false }
        }
        let statuses = result.statuses.count + gap + 1
        guard statuses <= TransportFeedback.maximumStatuses else { return false }

        var status = TransportFeedback.Status.notReceived
        var (bytes, reference, tick) = (0, result.referenceTime, lastTick)
        if let arrival {
            let arrivalTick = Self.floorDivide(arrival.nanoseconds, 250_000)
            let base: Int64
            if let lastTick {
                base = lastTick
            } else {
                // 256 ticks are one unit of the reference time, so the first delta is always small.
                base = arrivalTick & ~0xFF
                reference = (Int32(truncatingIfNeeded: arrivalTick >> 8) << 8) >> 8
            }
            guard let delta = Int16(exactly: arrivalTick - base) else { return false }
            status = .received(delta: delta)
            bytes = UInt8(exactly: delta) == nil ? 2 : 1
            tick = arrivalTick
        }
        // Every chunk but the last covers at least 7 statuses; 20 is the common header and the fixed part, 3 padding.
        let chunks = statuses / 7 + 1
        guard 20 + 2 * chunks + deltaBytes + bytes + 3 <= maximumLength else { return false }

        if result.statuses.isEmpty { result.baseSequenceNumber = sequenceNumber }
        for _ in 0..<gap { result.statuses.append(.notReceived) }
        result.statuses.append(status)
        result.referenceTime = reference
        lastTick = tick
        deltaBytes += bytes
        return true
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }
}
