public import PetrelCore
internal import PetrelSDP
internal import PetrelWire

/// Finds a way to one peer and keeps it: ICE (RFC 8445) with trickle (RFC 8838) and consent freshness (RFC 7675), for
/// one component (RTCP is multiplexed, everything is bundled).
///
/// The agent does no I/O. Its owner
/// - tells it the addresses of its sockets (``addLocalCandidate(_:kind:now:)``), the peer's credentials
///   (``setRemoteCredentials(ufrag:password:isLite:now:)``) and candidates (``addRemoteCandidate(_:now:)``);
/// - gives it every datagram whose first byte is 0...3 (``receive(_:from:to:now:random:out:)``);
/// - calls ``handleTimeout(now:random:out:)`` when ``nextDeadline`` has come, and reads that deadline again after every
///   call of a mutating method;
/// - drains ``nextEvent()``;
/// - drops every datagram that is not STUN unless ``isValidated(remote:local:)``, and sends media to ``sendPath``
///   only;
/// - calls ``mediaReceived(from:to:now:)`` for every packet of media that was *authenticated*: this is how the agent
///   notices silence within 30...150 ms, probes the path and follows a peer whose NAT has given it a new address.
///
/// What leaves is appended to the batch of the call. A batch that is full loses checks, which are repeated anyway.
public struct ICEAgent: Sendable {
    /// The most host and relayed bases. Pairs, and work for each remote candidate, grow with it.
    public static let maximumBases = 16
    /// The most remote candidates of one generation that are kept.
    public static let maximumRemoteCandidates = 100
    /// Unauthenticated error responses per second, in all: more is silence.
    public static let maximumErrorRate = 20

    /// How the agent was set up.
    public internal(set) var configuration: ICEConfiguration
    /// The present role; a conflict may change it (RFC 8445 section 7.3.1.1).
    public internal(set) var role: ICERole
    /// Where the agent stands.
    public internal(set) var state = ICEState.new
    var figures = ICEStatistics()

    var tiebreaker: UInt64
    var current: Generation
    var previous: Generation?
    var previousUntil = Instant.distantFuture

    var bases: [LocalBase] = []
    var reflexive: [ICECandidate] = []
    var foundations: [FoundationKey] = []
    var endOfLocalCandidates = false
    var gatheringReported = false
    var gathering: [GatheringTransaction] = []
    var remoteCandidates: [ICECandidate] = []

    var pairs: [CandidatePair] = []
    var nextPairID = 0
    var triggered: [Int] = []
    var validated: [ICEPath] = []
    /// Goes up whenever ``claims(now:)`` may answer something else: with every authentic check and answer, and whenever
    /// pairs go.
    public internal(set) var claimsVersion: UInt64 = 0
    /// The pair that media takes.
    var sendID: Int?
    var sendIndex: Int?
    var transactions = TransactionTable()
    var paceNext = Instant.distantPast
    var errorWindow = Instant.distantPast
    var errorsInWindow = 0
    var consentLost = false

    var events: [ICEEvent] = []

    /// When ``handleTimeout(now:random:out:)`` wants to be called; `distantFuture` for never.
    public internal(set) var nextDeadline = Instant.distantFuture
    /// The pair that media should use at this moment: the first that works, then the one both sides have settled on.
    /// Nil while there is none, and as soon as the peer's consent has run out or been revoked.
    public internal(set) var sendPath: ICEPath?

    /// Creates an agent with fresh credentials.
    public init(configuration: ICEConfiguration, role: ICERole, random: inout RandomSource, now: Instant) {
        self.configuration = configuration
        self.role = configuration.isLite ? .controlled : role
        tiebreaker = random.next()
        current = Generation(
            number: 0, local: ICECredentials(prefix: configuration.ufragPrefix, random: &random), now: now)
    }

    /// The credentials of this generation that the other side must be told.
    public var localCredentials: ICECredentials { current.local }
    public var localUfrag: String { current.local.ufrag }
    public var localPassword: String { current.local.password }

    /// Takes the oldest event that nobody has taken yet.
    public mutating func nextEvent() -> ICEEvent? { events.isEmpty ? nil : events.removeFirst() }

    /// Whether an authentic check was seen on this 5-tuple (a request of the peer's, or the response to ours).
    ///
    /// Nothing but STUN may be accepted from any other address. Cheap; called for every packet.
    public func isValidated(remote: TransportAddress, local: TransportAddress) -> Bool {
        let path = ICEPath(local: local, remote: remote)
        if sendPath == path { return true }
        for known in validated where known == path { return true }
        return false
    }

    /// Figures up to now.
    public var statistics: ICEStatistics {
        var result = figures
        if let sendIndex {
            result.currentRoundTripTime = pairs[sendIndex].roundTrip
            result.totalRoundTripTime = pairs[sendIndex].totalRoundTrip
        }
        return result
    }

    /// The number of pairs in all states.
    public var pairCount: Int { pairs.count }

    /// Stops for good and at once: nothing is sent any more, and the peer's next check is told so with 403
    /// (RFC 7675 section 5.2).
    public mutating func close(now: Instant) {
        guard state != .closed else { return }
        stopSending()
        setState(.closed)
        updateDeadline(now: now)
    }

    /// The peer has ended the association by an authenticated message: consent is revoked at once (RFC 7675 section 5.2),
    /// as by an answer of 403. Nothing is sent any more until a restart; the peer's checks are answered with 403.
    public mutating func consentRevoked(now: Instant) {
        guard state != .closed, state != .failed else { return }
        loseConsent()
        updateDeadline(now: now)
    }

    /// Forgets every pair: nothing is sent, nothing but STUN is accepted.
    mutating func stopSending() {
        claimsVersion &+= 1
        pairs.removeAll()
        triggered.removeAll()
        validated.removeAll()
        gathering.removeAll()
        transactions.removeAll()
        sendID = nil
        sendIndex = nil
        sendPath = nil
        previous = nil
    }

    mutating func setState(_ new: ICEState) {
        guard state != new, state != .closed else { return }
        state = new
        emit(.stateChanged(new))
    }

    /// Appends an event. Events that nobody drains are bounded: the oldest goes.
    mutating func emit(_ event: ICEEvent) {
        if events.count >= 256 { events.removeFirst() }
        events.append(event)
    }

    func index(of id: Int) -> Int? { pairs.firstIndex { $0.id == id } }

    func generation(_ number: Int) -> Generation? {
        number == current.number ? current : previous?.number == number ? previous : nil
    }
}
