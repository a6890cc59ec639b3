public import PetrelCore
public import PetrelSDP

/// Where a datagram of media leaves and goes.
public struct ICEPath: Hashable, Sendable {
    /// The base: the address of the socket to send from.
    public let local: TransportAddress
    public let remote: TransportAddress

    public init(local: TransportAddress, remote: TransportAddress) { (self.local, self.remote) = (local, remote) }
}

/// Something the application or the peer's upper layers want to know. See ``ICEAgent/nextEvent()``.
public enum ICEEvent: Hashable, Sendable {
    /// A candidate of ours that the other side should be told.
    case localCandidate(ICECandidate)
    /// No further local candidates come in this generation.
    case gatheringComplete
    case stateChanged(ICEState)
    /// Media now takes another pair (or its first).
    case selectedPairChanged(local: ICECandidate, remote: ICECandidate)
    /// A role conflict, or a lite peer, made this side change its role.
    case roleChanged(ICERole)
}

/// Figures of one agent, in the terms of W3C webrtc-stats' RTCIceCandidatePairStats; over all pairs unless said.
public struct ICEStatistics: Hashable, Sendable {
    /// Connectivity checks sent, those for consent included.
    public var requestsSent = 0
    public var requestsReceived = 0
    public var responsesSent = 0
    /// Authentic success responses to our checks.
    public var responsesReceived = 0
    /// Checks that were sent because the timer of RFC 7675 asked for it.
    public var consentRequestsSent = 0
    /// Answers other than success, sent.
    public var errorResponsesSent = 0
    /// Bytes of all STUN messages.
    public var bytesSent = 0
    public var bytesReceived = 0
    /// From the last check to its response, on the pair that media takes.
    public var currentRoundTripTime: TimeDelta?
    /// The sum over all responses of that pair.
    public var totalRoundTripTime = TimeDelta.zero
    /// When media could first be sent.
    public var firstValidPairAt: Instant?
    /// When both sides had settled on a pair.
    public var completedAt: Instant?
    public var selectedPairChanges = 0

    public init() {}
}
