public import PetrelCore

/// Where offer and answer stand (RFC 9429 section 3.2; provisional answers are not used).
public enum SignallingState: Hashable, Sendable { case stable, haveLocalOffer, haveRemoteOffer }

/// The two kinds of description that matter here.
public enum DescriptionType: String, Hashable, Sendable { case offer, answer }

/// Makes and applies offers and answers (RFC 9429, RFC 3264).
///
/// A value: nothing happens but in its functions, and one that throws leaves it as it was. All sections share one
/// transport (RFC 9143): sections of an offer that cannot be bundled with the first acceptable one are declined.
///
/// What is declined, by port zero in the answer: sections other than audio and video, protocols other than DTLS-SRTP
/// with feedback (UDP/TLS/RTP/SAVPF, and TCP/TLS/RTP/SAVPF which RFC 9429 section 5.1.2 wants understood), so also
/// everything with SDES keys or in the clear; sections without a codec we have or without RTP/RTCP multiplexing.
/// Refused as a whole, by an error, is an offer whose sections we would take, but whose certificates, credentials or
/// grouping are not in order.
public struct Negotiator: Sendable {
    /// What this side can do, and the number in its `o=` lines.
    public let configuration: LocalConfiguration
    public let sessionID: UInt64
    /// What our next description announces. Fresh credentials here ask for an ICE restart; they take effect with our
    /// next offer, or with our answer to an offer that restarts.
    public var transport: LocalTransport
    public private(set) var state = SignallingState.stable
    public internal(set) var transceivers: [Transceiver] = []
    /// What the last completed offer and answer agreed on.
    public internal(set) var session: NegotiatedSession?

    /// What holds since the last completed negotiation.
    var agreed = Agreement()
    /// What a pending offer would change.
    var pending: Agreement?
    var nextTransceiver = 0

    /// The most transceivers of a session: each is an m= section.
    public static let maximumTransceivers = 128

    /// - Parameter sessionID: random, see ``randomSessionID(using:)``; the upper two bits are cleared (RFC 9429 section
    ///   5.2.1).
    public init(configuration: LocalConfiguration = LocalConfiguration(), transport: LocalTransport, sessionID: UInt64)
    {
        self.configuration = configuration
        self.transport = transport
        self.sessionID = sessionID & (UInt64.max >> 2)
    }

    /// A number for `o=` lines (RFC 9429 section 5.2.1: 62 random bits).
    public static func randomSessionID(using random: inout RandomSource) -> UInt64 { random.next() & (UInt64.max >> 2) }

    /// Our description in force or pending.
    public var localDescription: SessionDescription? { pending?.local ?? agreed.local }
    /// The other side's description in force or pending.
    public var remoteDescription: SessionDescription? { pending?.remote ?? agreed.remote }

    // MARK: Transceivers

    /// Adds a section to the next offer, or answers one of the same kind in the next offer of the other side.
    /// - Parameter track: what to send; without it nothing is sent.
    /// - Throws: ``SDPError/Reason/badArgument`` where the kind is neither audio nor video, a source is in use already,
    ///   or there are ``maximumTransceivers``.
    @discardableResult
    public mutating func addTransceiver(
        _ kind: MediaKind, direction: MediaDirection, track: LocalTrack? = nil
    ) throws(SDPError) -> Int {
        guard kind == .audio || kind == .video else {
            throw SDPError(.badArgument, "a transceiver of kind \(kind.name)")
        }
        guard transceivers.count < Self.maximumTransceivers else {
            throw SDPError(.badArgument, "more than \(Self.maximumTransceivers) transceivers")
        }
        try checkSources(track, except: nil)
        return insert(kind, direction, track, fromRemote: false)
    }

    mutating func insert(
        _ kind: MediaKind, _ direction: MediaDirection, _ track: LocalTrack?, fromRemote: Bool
    ) -> Int {
        let id = nextTransceiver
        nextTransceiver &+= 1
        transceivers.append(
            Transceiver(id: id, kind: kind, direction: direction, track: track, isFromRemote: fromRemote))
        return id
    }

    /// Changes what we want; it takes effect with the next offer or answer.
    public mutating func setDirection(_ direction: MediaDirection, of id: Int) throws(SDPError) {
        transceivers[try place(of: id)].direction = direction
    }

    /// Changes what we send; it takes effect with the next offer or answer.
    public mutating func setTrack(_ track: LocalTrack?, of id: Int) throws(SDPError) {
        let place = try place(of: id)
        try checkSources(track, except: id)
        transceivers[place].track = track
        transceivers[place].isFromRemote = false
    }

    /// Ends a transceiver: the next offer rejects its section, which may then be recycled.
    public mutating func stop(_ id: Int) throws(SDPError) { transceivers[try place(of: id)].isStopped = true }

    /// The transceiver of this number.
    public func transceiver(_ id: Int) -> Transceiver? { transceivers.first { $0.id == id } }

    /// The identification tag of a transceiver's section, once it has one.
    public func mid(of id: Int) -> String? { (pending ?? agreed).slots.first { $0.transceiver == id }?.mid }

    private func place(of id: Int) throws(SDPError) -> Int {
        guard let place = transceivers.firstIndex(where: { $0.id == id && !$0.isStopped }) else {
            throw SDPError(.unknownTransceiver, "no transceiver \(id), or it is stopped")
        }
        return place
    }

    private func checkSources(_ track: LocalTrack?, except id: Int?) throws(SDPError) {
        guard let track else { return }
        for other in transceivers where other.id != id {
            guard let theirs = other.track else { continue }
            for ssrc in [theirs.ssrc, theirs.rtxSSRC].compactMap({ $0 })
            where ssrc == track.ssrc || ssrc == track.rtxSSRC {
                throw SDPError(.badArgument, "source \(ssrc) is in use by another transceiver")
            }
        }
    }

    // MARK: States

    /// Applies a description of our own, as ``createOffer()`` or ``createAnswer()`` made it; candidates may have been
    /// added.
    /// - Throws: ``SDPError/Reason/wrongState``, or ``SDPError/Reason/notOurDescription`` where it is not what would be
    ///   created now.
    public mutating func applyLocal(_ description: SessionDescription, _ type: DescriptionType) throws(SDPError) {
        switch type {
        case .offer:
            guard state == .stable else { throw SDPError(.wrongState, "a local offer while another is pending") }
            guard description.isSame(as: try createOffer()) else {
                throw SDPError(.notOurDescription, "the offer is not what would be created now")
            }
            var next = agreed
            next.slots = offerLayout()
            for index in next.slots.indices where transceiver(of: next.slots[index])?.isStopped ?? true {
                next.slots[index].isRejected = true
            }
            (next.local, next.localTransport, next.weOffered) = (description, transport, true)
            (pending, state) = (next, .haveLocalOffer)
        case .answer:
            guard state == .haveRemoteOffer, var next = pending else {
                throw SDPError(.wrongState, "a local answer without a remote offer")
            }
            guard description.isSame(as: try createAnswer()) else {
                throw SDPError(.notOurDescription, "the answer is not what would be created now")
            }
            (next.local, next.localTransport) = (description, try answerTransport(next))
            try complete(next)
        }
    }

    /// Applies a description of the other side.
    /// - Throws: ``SDPError``; everything then stays as it was. ``SDPError/Reason/glare`` for an offer while ours is
    ///   pending: ``rollback()`` first, where this side is to give way.
    public mutating func applyRemote(_ description: SessionDescription, _ type: DescriptionType) throws(SDPError) {
        switch type {
        case .offer:
            guard state != .haveLocalOffer else { throw SDPError(.glare, "both sides have made an offer") }
            var next = self
            if next.state == .haveRemoteOffer { try next.rollback() }
            try next.adopt(offer: description)
            next.state = .haveRemoteOffer
            self = next
        case .answer:
            guard state == .haveLocalOffer, var next = pending, let offer = next.local else {
                throw SDPError(.wrongState, "a remote answer without a local offer")
            }
            try check(answer: description, to: offer, in: next)
            next.remote = description
            try complete(next)
        }
    }

    /// Reads and applies a description of the other side, within ``LocalConfiguration/limits``.
    public mutating func applyRemote(_ text: String, _ type: DescriptionType) throws(SDPError) {
        try applyRemote(SessionDescription(parsing: text, limits: configuration.limits), type)
    }

    /// Takes a pending offer back, ours or the other side's (RFC 9429 section 4.1.10.2): what was agreed before holds
    /// on. Transceivers added meanwhile stay for the next offer; those made for the other side's sections go.
    public mutating func rollback() throws(SDPError) {
        guard state != .stable else { throw SDPError(.wrongState, "nothing to roll back") }
        (pending, state) = (nil, .stable)
        let kept = agreed.slots.compactMap(\.transceiver)
        transceivers.removeAll { $0.isFromRemote && !kept.contains($0.id) }
    }

    private mutating func complete(_ finished: Agreement) throws(SDPError) {
        guard let local = finished.local, let remote = finished.remote else {
            throw SDPError(.wrongState, "an answer without an offer")
        }
        var next = finished
        let built = try negotiated(local: local, remote: remote, finished)
        for section in built.sections where section.isRejected && next.slots.indices.contains(section.index) {
            next.slots[section.index].isRejected = true
            if let id = next.slots[section.index].transceiver { transceivers.removeAll { $0.id == id } }
            next.slots[section.index].transceiver = nil
        }
        // Stopped before they were ever offered.
        let used = next.slots.compactMap(\.transceiver)
        transceivers.removeAll { $0.isStopped && !used.contains($0.id) }
        (agreed, pending, session, state) = (next, nil, built, .stable)
    }

    func transceiver(of slot: Slot) -> Transceiver? { slot.transceiver.flatMap { transceiver($0) } }
}

/// What an offer and answer have fixed, or a pending offer would fix.
struct Agreement: Sendable {
    /// One for each m= section.
    var slots: [Slot] = []
    var local: SessionDescription?
    var remote: SessionDescription?
    /// What `local` announced.
    var localTransport: LocalTransport?
    var weOffered = false
}

/// The place of an m= section.
struct Slot: Hashable, Sendable {
    var mid: String?
    var kind: MediaKind
    var transceiver: Int?
    /// Out of use: the place may be recycled (RFC 9429 section 5.2.2).
    var isRejected = false
}

extension SessionDescription {
    /// Whether both say the same but for candidates.
    func isSame(as other: SessionDescription) -> Bool { withoutCandidates == other.withoutCandidates }

    /// Whether both say the same but for candidates and the version.
    func isSameVersion(as other: SessionDescription) -> Bool {
        var (left, right) = (self, other)
        (left.origin.sessionVersion, right.origin.sessionVersion) = (0, 0)
        return left == right
    }

    private var withoutCandidates: SessionDescription {
        var result = self
        result.endOfCandidates = false
        result.origin.sessionVersion = 0
        for index in result.media.indices {
            result.media[index].candidates = []
            result.media[index].endOfCandidates = false
        }
        return result
    }
}
