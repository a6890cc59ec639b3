public import PetrelCore

/// What one pull of 10 ms contained.
public struct AudioPull: Sendable, Hashable {
    /// Where the sound of a pull came from. A block of mixed origin has the kind that was worse for the listener.
    public enum Kind: UInt8, Sendable, Hashable {
        /// Nothing has been played yet: the block is zeros and is counted nowhere.
        case none
        /// Decoded packets, stretched or not.
        case normal
        /// The sender transmits no packets because it has nothing to say (DTX): comfort noise or zeros.
        case silence
        /// Decoded from what came in place of a lost packet: the in-band FEC of the one that followed (RFC 6716 section
        /// 2.1.7), redundancy (RFC 2198), or the packet sent again.
        case recovered
        /// Invented by packet loss concealment.
        case concealed
    }

    /// Where the sound comes from.
    public var kind: Kind
    /// When the first sample was captured, on the local clock, where packets said so; nil in concealment that
    /// follows no known packet.
    public var captureTime: Instant?
    /// The extended RTP timestamp of the first sample; nil where it belongs to no packet.
    public var timestamp: Int64?
    /// The buffer delay that the receiver aims for now, the external minimum included.
    public var targetDelay: TimeDelta
    /// The part of ``targetDelay`` that jitter alone asks for.
    public var jitterDelay: TimeDelta
    /// The time from the earliest possible arrival of a sample (the fastest packet of the last seconds) to its
    /// playout, at the sample that is decoded next.
    public var bufferDelay: TimeDelta
}
