internal import PetrelCongestion
public import PetrelCore
public import PetrelICE
internal import PetrelMedia
public import PetrelSDP
internal import PetrelSecurity
internal import PetrelWire

/// One remote endpoint: it composes negotiation, ICE, DTLS-SRTP and the media streams, and decides in which order they
/// see a datagram.
///
/// A peer owns no socket, clock or thread. Its methods fall in four classes:
/// - **set-up**: ``addTrack(_:streamID:)``, ``createOffer(now:)``, ``accept(answer:now:)``, ``answer(offer:now:)``,
///   ``addRemoteCandidate(_:now:)``;
/// - **handle**: ``receive(_:from:to:now:into:)`` for each datagram, ``handleTimeout(now:into:)`` when
///   ``nextDeadline`` has come;
/// - **send**: ``sendVideo(_:isKeyFrame:track:captured:now:into:)``, ``sendAudio(_:ticks:track:captured:now:into:)``;
/// - **poll**: ``takeEvents()``, ``nextDeadline``, ``statistics(now:)``.
///
/// After each call of the handle and send classes the owner sends what is in the batch, takes the events, and sets its
/// one timer to ``nextDeadline``. The same calls at the same instants with the same seeds give the same bytes.
public final class Peer {
    /// How the peer was set up.
    public let configuration: PeerConfiguration
    /// Where it stands, why it failed, and when it reached what.
    public internal(set) var state = PeerState.new
    public internal(set) var failure: PeerFailure?
    public internal(set) var milestones: PeerMilestones
    /// Everything that was not used, by reason.
    public internal(set) var drops = DropCounters()

    /// Called with every RTP and RTCP packet in the clear, before it is protected or after it was opened: for packet
    /// captures on request. Arguments: the packet, where it comes from, where it goes.
    public var plaintextTap: ((UnsafeRawBufferPointer, TransportAddress, TransportAddress) -> Void)?

    var random: RandomSource
    var agent: ICEAgent
    var negotiator: Negotiator
    var dtls: DTLSEngine?
    var srtp: SRTPSession?
    var dtlsRole = PetrelSecurity.DTLSRole.client
    var dtlsFingerprints: [PetrelSecurity.Fingerprint] = []
    var dtlsIsStarted = false
    /// As a client, when the handshake was begun; as a server, when its first flight came.
    var handshakeBegan: Instant?
    var remoteUfrag: String?
    var gatheringIsComplete = false
    let cname: String
    let receiverSSRC: UInt32
    let tlsID: String
    var events: [PeerEvent] = []

    var senders: [Sender] = []
    var receivers: [Receiver] = []
    var nextRemoteTrack = 0
    var sources = SourceTable()
    var controlSources = ControlSources()
    var remoteExtensions = RTPExtensionMap.none
    var payloads = PayloadTable()
    var usesReducedSizeRTCP = false

    var pacer: Pacer
    var estimator: BandwidthEstimator
    var sentPackets: SentPacketLog
    var losses = LossEstimator()
    var arrivals = ArrivalRecorder()
    var feedbackClock = FeedbackClock()
    var usesTransportFeedback = false
    /// Where transport-wide feedback is not agreed on but REMB is: what we tell the other side, and whether it may tell us.
    var receiverEstimator: ReceiverEstimator?
    var acceptsReceiverEstimate = false
    var roundTrip: TimeDelta?
    var reports = ReportSchedule()
    var lastVideoRate = DataRate.zero
    var leastRate: DataRate
    var audioRate = DataRate.kilobitsPerSecond(48)
    var opening = OpeningRepair()
    var repairControl = RepairController()
    var repairRate = DataRate.zero
    var repairMeasured: (at: Instant, bytes: UInt64)?
    var earlyHandshake = EarlyDatagrams()
    var earlyMedia = EarlyMedia()
    let scratch = SlotMemory(count: 1, slotSize: EgressBatch.maximumDatagram)
    var missing: [UInt16] = []
    var results: [PacketResult] = []
    var network = PeerNetworkStatistics()

    /// - Parameters:
    ///   - role: which side of ICE this is: the offerer controls (RFC 8445 section 6.1.1).
    ///   - random: where every random number of this peer comes from (OpenSSL's: see
    ///     ``PeerConfiguration/labSeed``).
    /// - Throws: ``SDPError`` where the certificate has no usable fingerprint.
    public init(configuration: PeerConfiguration, role: ICERole, random: RandomSource, now: Instant) throws(SDPError) {
        self.configuration = configuration
        var random = random
        agent = ICEAgent(configuration: configuration.ice, role: role, random: &random, now: now)
        cname = LocalTransport.randomName(16, using: &random)
        tlsID = LocalTransport.randomName(40, using: &random)
        receiverSSRC = UInt32(truncatingIfNeeded: random.next()) | 1
        let sessionID = Negotiator.randomSessionID(using: &random)
        let fingerprint = PetrelSDP.Fingerprint(.sha256, configuration.certificate.fingerprint(.sha256).bytes)
        let transport = try LocalTransport(
            iceUfrag: agent.localUfrag, icePassword: agent.localPassword, fingerprints: fingerprint.map { [$0] } ?? [],
            isICELite: configuration.ice.isLite, tlsID: tlsID)
        negotiator = Negotiator(configuration: configuration.description, transport: transport, sessionID: sessionID)
        leastRate = configuration.bandwidth.minimum
        estimator = BandwidthEstimator(configuration: configuration.bandwidth)
        pacer = Pacer(targetRate: estimator.target, now: now)
        sentPackets = SentPacketLog(firstSequence: UInt16(truncatingIfNeeded: random.next() & 0x7FFF))
        milestones = PeerMilestones(created: now)
        missing.reserveCapacity(NackTracker.limit)
        results.reserveCapacity(256)
        self.random = random
    }

    /// The events since the last call, in order.
    public func takeEvents() -> [PeerEvent] {
        guard !events.isEmpty else { return [] }
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    /// Calls `body` for each event since the last call, in order, without giving up the memory.
    public func drainEvents(_ body: (PeerEvent) -> Void) {
        var index = 0
        while index < events.count {
            body(events[index])
            index += 1
        }
        events.removeAll(keepingCapacity: true)
    }

    /// The time to the other side and back, measured by RTCP and ICE; 100 ms while nothing is known.
    var roundTripTime: TimeDelta { roundTrip ?? agent.statistics.currentRoundTripTime ?? .milliseconds(100) }

    /// What feedback told of the path towards the other side, for repair.
    var linkState: LinkState { losses.state(roundTrip: roundTripTime) }

    func change(to new: PeerState, _ reason: PeerFailure? = nil) {
        guard state != new, state != .closed else { return }
        state = new
        failure = new == .failed ? reason : nil
        events.append(.stateChanged(new, reason))
    }

    /// What a port that several peers share must know of this one (``PortRoutes``): the 5-tuples that its datagrams come
    /// from.
    public func claims(now: Instant) -> [ICEClaim] { agent.claims(now: now) }
    /// Goes up whenever ``claims(now:)`` may answer something else.
    public var claimsVersion: UInt64 { agent.claimsVersion }

    /// Where media goes now; nil while there is no way or consent to send.
    ///
    /// A path that was lost may come back by a restart; nothing else that failed does.
    var path: ICEPath? {
        state == .closed || state == .failed && !(failure?.isOfThePath ?? false) ? nil : agent.sendPath
    }
}

/// A track of ours and its stream.
struct Sender {
    let id: LocalTrackID
    let stream: SendStream
    let transceiver: Int
    /// Negotiated to be sent, and not removed.
    var isActive = false
    var isRemoved = false
    /// Feedback the other side may send for it.
    var acceptsNack = false
    var lastFIR: UInt8?
    var lastKeyFrameRequest: Instant?
    var sentAny = false
}

/// A track of the other side and its stream.
struct Receiver {
    let id: RemoteTrackID
    let stream: ReceiveStream
    let section: Int
    var lastPacket: Instant
    var hasEnded = false
}
