public import PetrelCore

/// Transport-wide congestion feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1): which packets
/// of a transport came, and when.
public struct TransportFeedback: Hashable, Sendable {
    /// What became of one packet.
    public enum Status: Hashable, Sendable {
        case notReceived
        /// Received so many ``tick``s after the received packet before it; the first one after the reference time.
        case received(delta: Int16)
    }

    /// One packet as ``forEachPacket(_:)`` tells it.
    public struct Packet: Hashable, Sendable {
        /// The transport-wide number of the packet.
        public let sequenceNumber: UInt16
        /// When it arrived, after the reference time; nil where it did not.
        public let arrival: TimeDelta?
    }

    /// The unit of the deltas: 250 us.
    public static let tick = TimeDelta.microseconds(250)
    /// The unit of the reference time: 64 ms.
    public static let referenceUnit = TimeDelta.milliseconds(64)
    /// The most statuses in one compound packet: what the 16-bit count of one feedback can say. 36 bytes can claim as
    /// many, so without a limit per datagram the work would be 40 times as much.
    public static let maximumStatuses = 65_535

    /// Who sends the feedback, and about which source.
    public var senderSSRC: UInt32
    public var mediaSSRC: UInt32
    /// The transport-wide sequence number of the first status.
    public var baseSequenceNumber: UInt16
    /// In units of 64 ms on the receiver's clock: 24 bits, signed, wrapping every 12.4 days.
    public var referenceTime: Int32
    /// Counts feedback packets, modulo 256.
    public var feedbackPacketCount: UInt8
    /// One for each consecutive sequence number, at most 65,535.
    public var statuses: [Status]

    /// A feedback packet; `referenceTime` is cut to its 24 bits.
    public init(
        senderSSRC: UInt32, mediaSSRC: UInt32, baseSequenceNumber: UInt16, referenceTime: Int32,
        feedbackPacketCount: UInt8, statuses: [Status]
    ) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
        self.baseSequenceNumber = baseSequenceNumber
        self.referenceTime = (referenceTime << 8) >> 8
        self.feedbackPacketCount = feedbackPacketCount
        self.statuses = statuses
    }

    /// The time from another packet's reference time to this one's, the shortest way round the wrap of 24 bits.
    public func referenceTime(since other: Int32) -> TimeDelta {
        Self.referenceUnit * Int(((referenceTime &- other) << 8) >> 8)
    }

    /// Calls `body` for each packet in the order of sequence numbers, which wrap.
    public func forEachPacket(_ body: (Packet) -> Void) {
        var sequenceNumber = baseSequenceNumber
        // At most 65,535 deltas of 16 bits: the sum stays far below 2^63.
        var ticks = 0
        for status in statuses {
            switch status {
            case .notReceived: body(Packet(sequenceNumber: sequenceNumber, arrival: nil))
            case .received(let delta):
                ticks &+= Int(delta)
                body(Packet(sequenceNumber: sequenceNumber, arrival: Self.tick * ticks))
            }
            sequenceNumber &+= 1
        }
    }
}
