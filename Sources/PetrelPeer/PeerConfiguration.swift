public import PetrelCongestion
public import PetrelCore
public import PetrelICE
public import PetrelMedia
public import PetrelSDP
public import PetrelSecurity

/// How a ``Peer`` is set up.
public struct PeerConfiguration: Sendable {
    /// How ICE works, and what descriptions offer.
    public var ice = ICEConfiguration()
    public var description = LocalConfiguration()
    /// The bounds of the rate.
    public var bandwidth = BandwidthEstimator.Configuration()
    /// Where the caller's monotonic clock lies in wall-clock time; taken once, so that a wall clock that is set
    /// in the middle of a call moves nothing.
    public var wallClock: WallClock
    /// The certificate of this endpoint; one may serve many peers.
    public var certificate: Certificate
    /// Seed of everything random in OpenSSL, for replayable calls in the lab only.
    public var labSeed: UInt64?
    /// First sequence numbers and timestamps by hand, so that a test can begin just before a wrap.
    public var streamStart: SendStream.Start?

    public init(wallClock: WallClock, certificate: Certificate) {
        self.wallClock = wallClock
        self.certificate = certificate
    }
}

/// Where a peer stands: RTCPeerConnectionState of W3C WebRTC.
public enum PeerState: String, Hashable, Sendable {
    case new, connecting, connected, disconnected, failed, closed
}

/// Why a peer failed.
public enum PeerFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// No path was found.
    case noPath
    /// The other side was silent for longer than consent lasts (RFC 7675): it is gone, or its network.
    case pathLost
    /// The handshake failed: the reason in words.
    case security(DTLSFailure)
    /// The handshake gave no keys that SRTP can use.
    case noKeys
    /// The other side ended the association.
    case closedByRemote

    /// Whether an ICE restart may still bring the call back.
    var isOfThePath: Bool { self == .noPath || self == .pathLost }

    public var description: String {
        switch self {
        case .noPath:
            "no path to the other side (check that UDP is not blocked and that candidates were exchanged)"
        case .pathLost: "the other side does not answer any more"
        case .security(let failure): "the secure connection failed: \(failure)"
        case .noKeys: "the secure connection gave no usable keys"
        case .closedByRemote: "the other side has ended the call"
        }
    }
}

/// A stream of ours.
public struct LocalTrackID: Hashable, Sendable {
    /// The number of the track within the peer.
    public let number: Int
}

/// Frames of ours that the other side has decoded.
public struct AcknowledgedFrames: Hashable, Sendable {
    /// The number (``FrameDependency/number``) of the newest one.
    public var newest: Int64
    /// Bit `i`: the frame `newest - 1 - i`; zero: it was passed over.
    public var earlier: UInt64
    /// How many bits of ``earlier`` mean something.
    public var count: Int
    /// The time to the other side and back.
    public var roundTrip: TimeDelta
    /// How long after it was sent a frame that is not among them is worth waiting for.
    public var patience: TimeDelta
}

/// A stream of the other side.
public struct RemoteTrackID: Hashable, Sendable {
    /// The number of the track within the peer.
    public let number: Int
}

/// What a peer tells its owner.
public enum PeerEvent: Sendable {
    /// A candidate of ours for the other side, as the value of an `a=candidate` line; nil after the last one.
    case localCandidate(String?, mid: String?)
    case stateChanged(PeerState, PeerFailure?)
    case iceStateChanged(ICEState)
    case pathChanged(ICEPath)
    case trackAdded(RemoteTrackID, StreamKind, mid: String?, stream: String?)
    case trackRemoved(RemoteTrackID)
    case videoFrame(RemoteTrackID, EncodedVideoFrame)
    case audioPacket(RemoteTrackID, EncodedAudioPacket)
    /// The other side cannot go on without a key frame of this track.
    case keyFrameRequested(LocalTrackID)
    /// What the other side has decoded of this track.
    case framesAcknowledged(LocalTrackID, AcknowledgedFrames)
    /// What the video encoders may produce together.
    case videoRateChanged(DataRate)
}

/// When things happened on the way to a call, for its report. Nil: not yet.
public struct PeerMilestones: Hashable, Sendable {
    /// When the peer was made.
    public var created: Instant
    /// The first pair on which media may be sent.
    public var pathFound: Instant?
    /// The handshake is done and keys are there.
    public var secured: Instant?
    public var firstAudioPacket: Instant?
    public var firstVideoPacket: Instant?
    public var firstVideoFrame: Instant?
}
