/// Counters of one audio receiver, named as in W3C webrtc-stats `RTCInboundRtpStreamStats` where it has a name
/// for them. Samples are counted per channel at 48 kHz; times are sums in seconds.
public struct AudioReceiverStatistics: Sendable, Hashable {
    /// Samples that were played, whatever their origin.
    public var totalSamplesReceived: UInt64 = 0
    /// Played samples that were invented to replace missing packets.
    public var concealedSamples: UInt64 = 0
    /// The part of ``concealedSamples`` that was faded to silence.
    public var silentConcealedSamples: UInt64 = 0
    /// Runs of concealed samples.
    public var concealmentEvents: UInt64 = 0
    /// Samples added by slowing playout down.
    public var insertedSamplesForDeceleration: UInt64 = 0
    /// Samples removed by speeding playout up.
    public var removedSamplesForAcceleration: UInt64 = 0
    /// Sum over emitted samples of the time from their packet's arrival to their playout.
    public var jitterBufferDelay = 0.0
    /// Sum over emitted samples of the delay aimed for when they were emitted.
    public var jitterBufferTargetDelay = 0.0
    /// Sum over emitted samples of the delay that jitter alone asked for when they were emitted.
    public var jitterBufferMinimumDelay = 0.0
    /// Samples that came out of the buffer from packets.
    public var jitterBufferEmittedCount: UInt64 = 0
    /// Packets that were taken into the buffer.
    public var packetsReceived: UInt64 = 0
    /// Packets that came too late, twice, or malformed, or were skipped to bring the delay down.
    public var packetsDiscarded: UInt64 = 0
    /// The part of ``packetsDiscarded`` that had come before.
    public var duplicatePackets: UInt64 = 0
    /// Packets received that carried in-band FEC for their predecessor.
    public var fecPacketsReceived: UInt64 = 0
    /// The part of ``fecPacketsReceived`` whose FEC was not needed or came too late.
    public var fecPacketsDiscarded: UInt64 = 0
    /// Played samples that were decoded from what came in place of lost packets: in-band FEC, redundancy (RFC 2198),
    /// packets sent again. They are not concealed.
    public var recoveredSamples: UInt64 = 0
    /// Concealment of 150 ms and longer: how often.
    public var interruptions: UInt64 = 0
    /// Samples in such concealment.
    public var interruptionSamples: UInt64 = 0
    /// Played samples of comfort noise or silence while the sender paused (DTX).
    public var pauseSamples: UInt64 = 0
    /// Packets that the decoder refused.
    public var decoderErrors: UInt64 = 0
    /// How often the receiver started anew: a jump of the timestamps, or ``AudioReceiver/reset()``.
    public var resynchronisations: UInt64 = 0

    public init() {}

    /// Audible concealment over everything played: (concealed - silent) / total.
    public var concealmentRatio: Double {
        totalSamplesReceived == 0
            ? 0 : Double(concealedSamples &- silentConcealedSamples) / Double(totalSamplesReceived)
    }
}
