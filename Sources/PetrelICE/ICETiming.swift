internal import PetrelCore

/// The times that the agent works with. Each says where it comes from and what grows with it.
enum ICETiming {
    /// The least Ta (RFC 8445 section 14.2). Smaller floods narrow links during set-up.
    static let minimumPacing = TimeDelta.milliseconds(5)

    /// For this long after both credentials are known, or a pair was made, its check is repeated at a constant pace.
    /// Our choice: at 50 % loss each way one check in four is answered, and 40 tries leave no set-up behind. Longer
    /// only sends more packets to addresses that do not answer.
    static let fastPhase = TimeDelta.seconds(2)
    /// The pace of the fast phase for a pair whose remote address has sent us an authentic request.
    static let fastIntervalHeard = TimeDelta.milliseconds(20)
    /// The pace of the fast phase for a pair that nothing is known about.
    static let fastInterval = TimeDelta.milliseconds(30)
    /// What each such pair adds to that pace where they are many. Less floods narrow links during set-up.
    static let fastShare = TimeDelta.milliseconds(10)
    /// After the fast phase the interval doubles from twice ``fastInterval`` up to this.
    static let slowInterval = TimeDelta.seconds(1)
    /// The least interval of pairs that are still being tried while another one works already.
    static let spareInterval = TimeDelta.milliseconds(200)

    /// How long a controlling agent waits, from its first valid pair, for a better one before it nominates.
    /// Longer delays the end of set-up, not the media.
    static let nominationWait = TimeDelta.milliseconds(50)
    /// A nomination unanswered for this long gives way to another valid pair (RFC 8445 section 8.1.1: it has failed).
    static let nominationTimeout = TimeDelta.milliseconds(1500)

    /// No set-up is given up before this time (RFC 8863: as long as RFC 8445's own transactions would take).
    static let patience = TimeDelta.milliseconds(39_500)
    /// A response to a check older than this is no longer looked for.
    static let transactionLifetime = TimeDelta.seconds(5)

    /// The mean time between consent checks; each is drawn from 0.8...1.2 of it (RFC 7675 section 5.1).
    static let consentInterval = TimeDelta.seconds(5)
    /// Consent expires 30 s after the last response (RFC 7675 section 5.1). Half a second is kept back, so that a
    /// late timer never sends later than the standard allows.
    static let consentLifetime = TimeDelta.milliseconds(29_500)
    /// The pace of repeated checks on a pair in use while none is answered (RFC 8445 section 14.3: RTO >= 500 ms).
    static let unansweredInterval = TimeDelta.milliseconds(500)
    /// A pair in use from which nothing authentic came for this long is checked, media or not.
    static let livenessAfter = TimeDelta.milliseconds(3500)
    /// Nothing authentic for this long, and checks unanswered for ``disconnectedUnanswered``: disconnected.
    static let disconnectedQuiet = TimeDelta.seconds(5)
    static let disconnectedUnanswered = TimeDelta.milliseconds(1500)
    /// No check answered for this long: disconnected, even though media still arrives. At half a second apart, 40 lost
    /// checks in a row; shorter shows a call at 50 % loss each way as disconnected now and then.
    static let disconnectedDeaf = TimeDelta.seconds(20)
    /// A pair in use that has been quiet and unanswered for this long lets the others be tried again.
    static let recoveryAfter = TimeDelta.milliseconds(2500)
    static let recoveryInterval = TimeDelta.milliseconds(500)

    /// Bounds of the silence after which flowing media is taken to have stopped. A silence probe leaves after
    /// `silenceBudget` minus the round trip, within the bounds, so that a rebinding costs at most 250 ms and one
    /// round trip. Nothing may be sent to a new address before it has answered a check: the probe, the check, its answer
    /// and the first media are two round trips besides the silence, so that beyond a round trip of 200 ms it is two of
    /// them and 50 ms. What is shorter than one and a half times the pauses that media has had lately is no silence: else
    /// every lost packet, or every picture of a slow film, would cost a probe.
    static let silenceMinimum = TimeDelta.milliseconds(30)
    static let silenceMaximum = TimeDelta.milliseconds(150)
    static let silenceBudget = TimeDelta.milliseconds(200)
    /// Media counts as flowing for this long after its last packet: a silence that lasts longer is looked after by
    /// ``livenessAfter`` and ``unansweredInterval``.
    static let silenceWatch = TimeDelta.seconds(5)
    /// The pace of unanswered silence probes in the first second, and after it.
    static let silenceFast = TimeDelta.milliseconds(50)
    static let silenceSlow = TimeDelta.milliseconds(250)
    /// The pace of silence probes that are answered while media stays away.
    static let silenceAnswered = TimeDelta.milliseconds(500)
    /// A pair in use must be this quiet before media moves to a pair that is not of a rebinding.
    static let quietForMove = TimeDelta.seconds(1)

    /// Nothing authentic for this long: a pair's 5-tuple is no longer claimed. The time of consent.
    static let claimLifetime = TimeDelta.seconds(30)

    /// How long the pairs of the generation before a restart still receive after the new one has settled.
    static let previousGrace = TimeDelta.seconds(3)

    /// First retransmission of a gathering transaction, and how often it is sent in all (RFC 8445 section 14.3,
    /// RFC 8489 section 6.2.1).
    static let gatheringTimeout = TimeDelta.milliseconds(500)
    static let gatheringTries = 7
}
