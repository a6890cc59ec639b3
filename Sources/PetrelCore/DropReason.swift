/// Why something that came from the network was not used. Every drop has one of these names, and a counter
/// (``DropCounters``).
///
/// Parsers throw it; engines answer it. New reasons are added at the end of their room's group.
public enum DropReason: UInt8, Error, CaseIterable, Sendable {
    // Demultiplexing
    case unknownPacketKind, emptyDatagram, datagramTooLong, unvalidatedAddress
    // Any parser
    case truncated, badVersion, badLength, badValue, tooMany
    // STUN and ICE
    case stunBadCookie, stunBadFingerprint, stunBadIntegrity, stunUnknownTransaction, stunAsymmetricResponse
    case stunUnknownAttribute, stunMissingAttribute, stunUnknownUser, stunIndication, stunUnexpectedMethod
    case stunRateLimited, iceCandidateLimit, iceAddressRefused, iceRoleConflict
    // DTLS and SRTP
    case dtlsMalformed, dtlsRejected, dtlsBeforeValidPair, dtlsTooMuchBuffered
    case srtpNoKeys, srtpAuthentication, srtpReplay, srtpTooShort, srtpFailed
    // RTP and RTCP
    case rtpUnknownPayloadType, rtpUnknownSource, rtpSourceLimit, rtpDuplicate, rtpTooOld, rtpSequenceJump
    case rtpBadPadding, rtpBadExtension, rtxWithoutOriginal, payloadMalformed, payloadEmpty
    case rtcpMalformed, rtcpUnknownSource, rtcpImplausible
    // Media
    case frameTooLarge, frameIncomplete, bufferFull, decoderError, pictureTooLarge
    // Repair packets of the sliding-window code: not well formed or beyond belief, of packets long gone, nothing new in
    // it, against what is known, more of them than there is room for; repair asked for that nothing justifies
    case repairMalformed, repairTooOld, repairNotNeeded, repairInconsistent, repairFull, repairUnjustified
    // Egress
    case egressFull, sendQueueFull, sendFailed
}

/// What became of something that came from the network.
public enum Verdict: Hashable, Sendable {
    case accept
    case drop(DropReason)
}

/// How often each ``DropReason`` has occurred.
public struct DropCounters: Sendable {
    private var counts = InlineArray<128, UInt64>(repeating: 0)

    public init() {}

    /// Counts one more.
    public mutating func count(_ reason: DropReason) { counts[Int(reason.rawValue)] &+= 1 }

    /// How often this reason was counted.
    public subscript(reason: DropReason) -> UInt64 { counts[Int(reason.rawValue)] }

    /// All reasons that have occurred, with their counts.
    public var nonZero: [(reason: DropReason, count: UInt64)] {
        DropReason.allCases.compactMap { self[$0] == 0 ? nil : ($0, self[$0]) }
    }

    /// The number of drops of any reason.
    public var total: UInt64 { DropReason.allCases.reduce(0) { $0 &+ self[$1] } }
}
