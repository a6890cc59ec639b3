internal import COpenSSL
internal import CPetrelSecurity
public import PetrelCore

/// One DTLS 1.2 association that agrees on SRTP keys (RFC 6347, RFC 5764), told its bytes and its time.
///
/// OpenSSL runs the handshake between two memory BIOs; everything around it is here: what may reach it, when a flight
/// is sent again, how records are packed into datagrams, and whether the peer is who its session description says.
/// The state is ``State/connected`` only when the handshake is done, an SRTP profile was agreed, and the peer's
/// certificate matched an announced fingerprint; no key can be had before.
///
/// `emit` is called with each datagram to send; the bytes are valid during that call, and the engine must not be called
/// from within it. One owner, one thread at a time.
public final class DTLSEngine {
    /// Where the association stands.
    public enum State: Hashable, Sendable {
        /// Nothing was sent or taken yet.
        case new
        /// The handshake runs, or it is done and the peer's fingerprints are not known yet.
        case connecting
        /// The peer is the announced one, and keys may be taken.
        case connected
        /// This side or the peer closed the association.
        case closed
        /// The association failed for good.
        case failed(DTLSFailure)
    }

    /// What a user may choose.
    public struct Configuration: Sendable {
        /// The longest datagram to send, in octets of UDP payload: 1,200 passes every path with an IPv6 MTU of 1,280.
        /// Taken as 256 to 1,600.
        public var mtu = 1200
        /// How often a flight is sent again while it is young. Short, because a lost flight delays the first picture by
        /// this much; a flight is about one datagram, so 33 of them per second are no burden.
        public var retransmission = TimeDelta.milliseconds(30)
        /// How long a flight is young; then the interval doubles up to ``retransmissionLimit``.
        public var patience = TimeDelta.seconds(2)
        /// The longest interval between two repeats of a flight.
        public var retransmissionLimit = TimeDelta.seconds(1)
        /// How long the handshake may take from the first datagram on; then the association fails.
        public var handshakeLimit = TimeDelta.seconds(60)
        /// The SRTP profiles to offer or take, most wanted first.
        public var profiles = SRTPProfile.preferred
        /// For the lab only: everything random in this association comes from this seed (see ``LabRandomness``).
        public var labSeed: UInt64?

        public init() {}
    }

    /// The longest datagram that is looked at, in octets: a jumbo frame.
    public static let maximumDatagram = 9216
    /// How many records of epoch 1 are kept until the handshake is ready for them, and their octets together. A peer's
    /// Finished has about 60.
    static let heldRecords = 4
    static let heldBytes = 1024
    /// The server's last flight is repeated this often unasked: the client's flight and this one then need not both
    /// survive a round trip. A flight has about 75 octets.
    static let unaskedRepeats = 3
    /// How old a client's last flight is, in milliseconds, when its Finished is sealed anew. No more than twelve: OpenSSL
    /// answers a Finished it has not seen with its own, and ends the association at the thirteenth.
    static let renewalAges = [60, 120, 210, 330, 510, 780, 1_200, 1_900, 3_000, 5_000, 10_000, 20_000]
    /// The shortest time between two repeats that the peer's repeats cause.
    static let repeatGap = TimeDelta.milliseconds(15)
    /// How long a handshake goes on after an alert that anybody could have sent, if nothing else comes.
    static let alertPatience = TimeDelta.seconds(1)

    /// Which side of the handshake this is.
    public let role: DTLSRole
    let configuration: Configuration
    let certificate: Certificate
    let mtu: Int

    /// Where the association stands.
    public internal(set) var state = State.new
    /// When ``handleTimeout(now:emit:)`` wants to be called; ``Instant/distantFuture`` where there is nothing to wait
    /// for.
    public internal(set) var nextDeadline = Instant.distantFuture
    /// What was dropped and why.
    public internal(set) var drops = DropCounters()
    /// How often a flight was repeated.
    public internal(set) var repeatedFlights: UInt64 = 0
    /// How many ClientHellos were refused, each without harm to the next.
    public internal(set) var refusedHellos: UInt64 = 0

    // OpenSSL's side
    var context: OpaquePointer?
    var association: OpaquePointer?
    let messagesRead = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    var labState: UInt64

    // The peer
    var announced: [Fingerprint] = []
    var isStarted = false
    var began: Instant?
    var isHandshakeDone = false
    var isIdentified = false
    var selected: SRTPProfile?
    var fragments: DTLSHandshakeGuard
    var isChangeCipherHeld = false
    var held: [[UInt8]] = []
    var pendingAlert: (description: UInt8, since: Instant)?
    var nextInbound: UInt64 = 0

    // Our last flight
    var flight: [DTLSOutboundRecord] = []
    var flightBegan = Instant.zero
    var flightSent = Instant.zero
    var interval: TimeDelta
    var unaskedLeft = 0
    var renewals = 0
    var hasSentFlight = false
    var nextOutbound: UInt64 = 0
    var sealer: DTLSSealer?

    /// An association that has not begun; ``start(now:emit:)`` begins it.
    public init(role: DTLSRole, certificate: Certificate, configuration: Configuration = Configuration()) {
        self.role = role
        self.certificate = certificate
        self.configuration = configuration
        mtu = min(max(configuration.mtu, 256), 1600)
        interval = configuration.retransmission
        labState = configuration.labSeed ?? 0
        fragments = DTLSHandshakeGuard(role: role)
        messagesRead.initialize(to: 0)
    }

    deinit {
        SSL_free(association)
        SSL_CTX_free(context)
        messagesRead.deallocate()
    }

    /// Begins: a client sends its ClientHello, a server takes datagrams from now on.
    public func start(now: Instant, emit: (UnsafeRawBufferPointer) -> Void) {
        guard state == .new, !isStarted else { return }
        isStarted = true
        guard role == .client else { return }
        state = .connecting
        began = now
        guard makeAssociation() else { return fail(.library, OpenSSLErrors.drain()) }
        run(now: now, emit: emit)
        rearm()
    }

    /// Tells the fingerprints of the peer's session description. They may come late: the handshake goes on without
    /// them, but nothing is connected before one of them matched.
    ///
    /// The first that come are kept; a change of fingerprints asks for a new association (RFC 8842 section 4).
    public func expect(
        fingerprints: [Fingerprint], now: Instant, emit: (UnsafeRawBufferPointer) -> Void
    ) {
        guard announced.isEmpty, !fingerprints.isEmpty, !isOver else { return }
        announced = fingerprints
        guard association != nil, identify(emit: emit) else { return }
        completeIfReady()
        rearm()
    }

    /// Does what is due at `now`: repeats a flight, or gives up.
    public func handleTimeout(now: Instant, emit: (UnsafeRawBufferPointer) -> Void) {
        guard now >= nextDeadline, !isOver else { return }
        if state != .connected {
            if let alert = pendingAlert, now >= alert.since + Self.alertPatience {
                return fail(.alert, "the peer sent the alert \(Self.alertName(alert.description))")
            }
            if let began, now >= began + configuration.handshakeLimit {
                return fail(.timeout, "no handshake within \(configuration.handshakeLimit)")
            }
        }
        if isFlightRepeated, now >= flightSent + interval {
            if unaskedLeft > 0 { unaskedLeft -= 1 }
            if now - flightBegan >= configuration.patience {
                interval = min(interval * 2, configuration.retransmissionLimit)
            }
            sendFlight(now: now, isRepeat: true, emit: emit)
        }
        rearm()
    }

    /// Closes the association and tells the peer (close_notify, RFC 5246 section 7.2.1). Nothing happens after it.
    public func close(emit: (UnsafeRawBufferPointer) -> Void) {
        guard !isOver else { return }
        sendAlert(level: 1, description: 0, emit: emit)
        end(.closed)
    }

    /// The profile that was agreed; nil before the association is connected.
    public var profile: SRTPProfile? { state == .connected ? selected : nil }

    /// The keys for SRTP; nil unless the state is ``State/connected``.
    public func exportKeyingMaterial() -> SRTPKeyingMaterial? {
        guard state == .connected, isIdentified, let association, let selected else { return nil }
        ERR_clear_error()
        return SRTPKeyingMaterial(profile: selected) { buffer in
            let bytes = buffer.assumingMemoryBound(to: UInt8.self)
            return petrel_dtls_export_srtp(association, bytes.baseAddress, bytes.count) == 1
        }
    }

    /// Whether it is closed or failed.
    var isOver: Bool {
        switch state {
        case .closed, .failed: true
        case .new, .connecting, .connected: false
        }
    }

    /// Whether the flight at hand is repeated by the clock.
    var isFlightRepeated: Bool { !flight.isEmpty && (!isHandshakeDone || unaskedLeft > 0) }

    /// Sets ``nextDeadline`` to the earliest thing to do.
    func rearm() {
        guard !isOver else {
            nextDeadline = .distantFuture
            return
        }
        var deadline = isFlightRepeated ? flightSent + interval : .distantFuture
        if state != .connected {
            if let began { deadline = min(deadline, began + configuration.handshakeLimit) }
            if let pendingAlert { deadline = min(deadline, pendingAlert.since + Self.alertPatience) }
        }
        nextDeadline = deadline
    }
}
