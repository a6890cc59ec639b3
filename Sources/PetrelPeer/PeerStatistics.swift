public import PetrelCongestion
public import PetrelCore
public import PetrelICE
public import PetrelMedia

/// Counts of the transport as a whole; names as in W3C webrtc-stats transport and candidate-pair where there is one.
public struct PeerNetworkStatistics: Hashable, Sendable {
    /// Datagrams of every kind and their bytes.
    public var datagramsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// RTP and RTCP; ICE counts its own in ``ICEStatistics``.
    public var datagramsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var mediaPacketsSent: UInt64 = 0
    public var mediaPacketsReceived: UInt64 = 0
    public var rtcpPacketsReceived: UInt64 = 0
    /// What the other side last reported lost of ours: share since its previous report, and in all.
    public var remoteFractionLost: Double?
    public var remotePacketsLost: Int32 = 0

    public init() {}

    mutating func noteSent(bytes: Int) {
        datagramsSent &+= 1
        bytesSent &+= UInt64(clamping: bytes)
    }
}

/// Everything a peer counts, at one moment.
public struct PeerStatistics: Sendable {
    public struct Outbound: Sendable {
        /// Which track it is, what it carries, its source, and what was sent.
        public var track: LocalTrackID
        public var kind: StreamKind
        public var ssrc: UInt32
        public var counts: SendStatistics
    }
    /// One stream of the other side.
    public struct Inbound: Sendable {
        /// Which track it is, what it carries, its source, and what was received.
        public var track: RemoteTrackID
        public var kind: StreamKind
        public var ssrc: UInt32
        public var packetsReceived: UInt64
        public var packetsLost: Int64
        public var bytesReceived: UInt64
        public var jitter: TimeDelta
        public var counts: ReceiveCounters
    }
    /// Everything of the peer that belongs to no stream.
    public var network: PeerNetworkStatistics
    public var ice: ICEStatistics
    public var drops: DropCounters
    public var roundTripTime: TimeDelta?
    /// What the path is thought to carry (availableOutgoingBitrate).
    public var estimate: DataRate
    public var queueDelay: TimeDelta
    /// What repair of our pictures reckons with, and why.
    public var repair: RepairController
    public var outbound: [Outbound]
    public var inbound: [Inbound]
    public var milestones: PeerMilestones
}

extension Peer {
    /// A snapshot of all counts.
    public func statistics(now: Instant) -> PeerStatistics {
        PeerStatistics(
            network: network, ice: agent.statistics, drops: drops,
            roundTripTime: roundTrip ?? agent.statistics.currentRoundTripTime, estimate: estimator.target,
            queueDelay: estimator.queueDelay, repair: repairControl,
            outbound: senders.filter { $0.isActive || $0.sentAny }.map {
                PeerStatistics.Outbound(
                    track: $0.id, kind: $0.stream.kind, ssrc: $0.stream.ssrc, counts: $0.stream.statistics)
            },
            inbound: receivers.map {
                PeerStatistics.Inbound(
                    track: $0.id, kind: $0.stream.kind, ssrc: $0.stream.ssrc,
                    packetsReceived: $0.stream.reception.packetsReceived, packetsLost: $0.stream.reception.packetsLost,
                    bytesReceived: $0.stream.reception.bytesReceived, jitter: $0.stream.reception.jitter,
                    counts: $0.stream.statistics)
            }, milestones: milestones)
    }
}
