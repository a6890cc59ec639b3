public import PetrelCore

/// Generic NACK (RFC 4585 section 6.2.1): sequence numbers that are missing.
public struct RTCPNack: Hashable, Sendable {
    /// The most sequence numbers taken from one packet; further ones are ignored. A packet of 1,500 bytes could name
    /// 6,000. 1,024 is a second of video at 10 Mbit/s, longer than any repair is worth; a larger number only costs
    /// memory and lookups per packet.
    public static let maximumSequenceNumbers = 1024

    /// Who sends the feedback, and, where the packet names one, about which source.
    public var senderSSRC: UInt32
    public var mediaSSRC: UInt32
    /// The missing ones. Written in this order, 17 consecutive ones per 4 bytes where they ascend.
    public var sequenceNumbers: [UInt16]

    public init(senderSSRC: UInt32, mediaSSRC: UInt32, sequenceNumbers: [UInt16]) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
        self.sequenceNumbers = sequenceNumbers
    }
}

/// PLI (RFC 4585 section 6.3.1): a picture is lost, send a key frame.
public struct RTCPPictureLoss: Hashable, Sendable {
    /// Who sends the feedback, and, where the packet names one, about which source.
    public var senderSSRC: UInt32
    public var mediaSSRC: UInt32

    public init(senderSSRC: UInt32, mediaSSRC: UInt32) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
    }
}

/// FIR (RFC 5104 section 4.3.1): a new receiver needs a key frame.
public struct RTCPFullIntraRequest: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        /// The source that is asked.
        public var ssrc: UInt32
        /// A repeated request has the number of the first one.
        public var sequenceNumber: UInt8

        public init(ssrc: UInt32, sequenceNumber: UInt8) {
            self.ssrc = ssrc
            self.sequenceNumber = sequenceNumber
        }
    }

    /// Who sends the feedback, and, where the packet names one, about which source.
    public var senderSSRC: UInt32
    /// At least one.
    public var entries: [Entry]

    public init(senderSSRC: UInt32, entries: [Entry]) {
        self.senderSSRC = senderSSRC
        self.entries = entries
    }
}

/// REMB (draft-alvestrand-rmcat-remb-03 section 2.2): the rate that a receiver thinks the path carries.
public struct RTCPReceiverEstimate: Hashable, Sendable {
    /// Who sends the feedback, and, where the packet names one, about which source.
    public var senderSSRC: UInt32
    /// 18 bits of mantissa and 6 of exponent on the wire: written rounded down, and read saturated at 2^63 - 1 bit/s.
    public var rate: DataRate
    /// The sources it is about, at most 255.
    public var sources: [UInt32]

    public init(senderSSRC: UInt32, rate: DataRate, sources: [UInt32]) {
        self.senderSSRC = senderSSRC
        self.rate = rate
        self.sources = sources
    }

    /// "REMB".
    static let identifier: UInt32 = 0x52454D42
}
