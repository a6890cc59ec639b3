internal import PetrelCore
internal import PetrelSDP

/// A local base and a remote address (RFC 8445 section 6.1.2), and everything known about the way between them.
///
/// There is no Frozen state: freezing orders the work between the components and streams of one session, and this
/// agent has one component (RFC 8445 section 6.1.2.6 then sets one pair of each foundation to Waiting, and pacing does
/// the rest).
struct CandidatePair: Sendable {
    enum State: Sendable { case waiting, inProgress, succeeded, failed }

    let id: Int
    /// The generation of credentials it belongs to.
    let generation: Int
    let path: ICEPath
    let localPriority: UInt32
    var remote: ICECandidate
    let bornAt: Instant

    var state = State.waiting
    /// When the fast phase began.
    var phaseStart: Instant
    /// When its next check is due, while it is being set up.
    var nextCheck: Instant
    var interval = TimeDelta.zero
    var lastCheckAt: Instant?

    /// An authentic request came from here.
    var requestReceived = false
    /// The controlling peer sent USE-CANDIDATE here.
    var nominatedByPeer = false
    /// When anything authentic came from here: request, response or media.
    var lastHeard: Instant?
    var lastMedia: Instant?
    /// The longest time between two packets of media lately, losses included.
    var mediaSpacing = TimeDelta.zero
    var lastResponse: Instant?
    /// When media left it for the address that its NAT has given the peer instead.
    var replacedAt: Instant?
    /// When the first check since the last response was sent.
    var firstUnanswered: Instant?
    /// When the next check for consent is due.
    var consentAt = Instant.distantFuture
    var roundTrip: TimeDelta?
    var totalRoundTrip = TimeDelta.zero

    init(
        id: Int, generation: Int, path: ICEPath, localPriority: UInt32, remote: ICECandidate, now: Instant
    ) {
        self.id = id
        self.generation = generation
        self.path = path
        self.localPriority = localPriority
        self.remote = remote
        bornAt = now
        phaseStart = now
        nextCheck = now
    }

    /// A check of ours was answered on it.
    var isValid: Bool { state == .succeeded }

    /// RFC 8445 section 6.1.2.3.
    func priority(_ role: ICERole) -> UInt64 {
        let controlling = UInt64(role == .controlling ? localPriority : remote.priority)
        let controlled = UInt64(role == .controlling ? remote.priority : localPriority)
        return min(controlling, controlled) << 32 &+ max(controlling, controlled) &* 2
            &+ (controlling > controlled ? 1 : 0)
    }

    func quiet(_ now: Instant) -> TimeDelta { now - (lastHeard ?? bornAt) }
    func unanswered(_ now: Instant) -> TimeDelta { firstUnanswered.map { now - $0 } ?? .zero }

    /// The silence after which flowing media is taken to have stopped.
    var silenceThreshold: TimeDelta {
        let wanted = max(ICETiming.silenceBudget - (roundTrip ?? .zero), mediaSpacing * 1.5)
        return min(ICETiming.silenceMaximum, max(ICETiming.silenceMinimum, wanted))
    }

    /// A packet of media came. The spacing is the longest gap of late: it gives way by a sixteenth of the time that
    /// passes, so that neither the packets of one picture nor a few regular ones hide the pauses between.
    mutating func noteMedia(now: Instant) {
        if let lastMedia {
            let gap = min(now - lastMedia, ICETiming.silenceMaximum)
            mediaSpacing = max(gap, mediaSpacing - gap / 16)
        }
        lastHeard = now
        lastMedia = now
    }

    /// When a pair in use wants its next check. Media only moves it to a later time.
    func dueInUse(unconfirmedSince nominatedAt: Instant?) -> Instant {
        var due = consentAt
        guard let lastCheckAt else { return .distantPast }
        if let nominatedAt {
            let age = lastCheckAt - nominatedAt
            due = min(
                due, lastCheckAt + (age < ICETiming.fastPhase ? ICETiming.fastIntervalHeard : ICETiming.silenceSlow))
        }
        if firstUnanswered != nil {
            due = min(due, lastCheckAt + max(ICETiming.unansweredInterval, (roundTrip ?? .zero) * 2))
        } else if let lastHeard {
            due = min(due, max(lastHeard, lastCheckAt) + ICETiming.livenessAfter)
        }
        if let lastMedia, lastCheckAt - lastMedia < ICETiming.silenceWatch {
            let silentFrom = lastMedia + silenceThreshold
            if lastCheckAt < silentFrom {
                due = min(due, silentFrom)
            } else if firstUnanswered == nil {
                // The peer is there, and yet its media does not come: it may have fallen silent, or not know yet
                // where we are now.
                due = min(due, lastCheckAt + ICETiming.silenceAnswered)
            } else {
                let isFresh = lastCheckAt - lastMedia < .seconds(1)
                due = min(due, lastCheckAt + (isFresh ? ICETiming.silenceFast : ICETiming.silenceSlow))
            }
        }
        return due
    }
}
