public import PetrelCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A bad network between two real processes: a UDP relay with a ``Link`` in each direction.
///
/// The relay has a port, a face, for each peer. What peer a sends to its face leaves from the other face towards
/// peer b, after the link's delay or never, and the other way round. Nothing but the addresses changes.
///
///     peer a  <-->  face towards a | link a to b, link b to a | face towards b  <-->  peer b
///
/// For ICE each peer must know the other by the relay's address only: whoever carries the signalling writes
/// ``face(for:)`` into the candidates (``CandidateRewriter`` helps), and the peers must have no other way to each
/// other.
///
/// A relay has a thread of its own, which sleeps until a datagram comes or is due. All methods may be called from
/// any thread.
public final class LiveRelay: Sendable {
    /// The longest datagram in bytes that is relayed.
    public static let maximumDatagram = 2000
    /// The default for the most datagrams in flight: 8 MiB of memory.
    public static let defaultCapacity = 4096

    /// One of the two peers.
    public enum Side: Int, CaseIterable, Hashable, Sendable {
        case a, b

        /// The other peer.
        public var other: Side { self == .a ? .b : .a }
    }

    /// Which address is taken for a peer's.
    public enum Learning: Hashable, Sendable {
        /// The source of the first datagram that comes to its face; others are foreign from then on.
        case first
        /// The source of the latest datagram: a peer may change its address in mid-call.
        case latest
    }

    /// How a relay is set up.
    public struct Configuration: Sendable {
        /// The link from peer a to peer b, and back.
        public var forward: LinkDescription
        public var backward: LinkDescription
        /// The seed of both links.
        public var seed: UInt64
        /// Where the face towards peer a is bound, and the one towards peer b; port 0 lets the system choose.
        public var faceTowardsA: TransportAddress
        public var faceTowardsB: TransportAddress
        /// The peers' addresses, where they are known from the start; otherwise they are learned.
        public var peerA: TransportAddress?
        public var peerB: TransportAddress?
        public var learning: Learning
        /// The most datagrams in flight, both directions together.
        public var capacity: Int

        /// A relay on the loopback interface, with ports that the system chooses.
        public init(forward: LinkDescription, backward: LinkDescription, seed: UInt64 = 1) {
            self.forward = forward
            self.backward = backward
            self.seed = seed
            faceTowardsA = TransportAddress(ipv4: 0x7F00_0001, port: 0)
            faceTowardsB = TransportAddress(ipv4: 0x7F00_0001, port: 0)
            learning = .first
            capacity = LiveRelay.defaultCapacity
        }
    }

    private let engine: RelayEngine

    /// Binds both faces. The relay works after ``start()``; until then the kernel keeps what comes.
    public init(_ configuration: Configuration) throws(LiveRelayError) {
        engine = try RelayEngine(configuration)
    }

    deinit { engine.stop() }

    /// Starts the relay. Outages and changes of the links are counted from this moment. Later calls do nothing.
    public func start() throws(LiveRelayError) { try engine.start() }

    /// Stops the relay: after it returns nothing is forwarded any more, and what was in flight is gone. The ports
    /// stay bound until the relay is released. Later calls do nothing; a relay does not start again.
    public func stop() { engine.stop() }

    /// The address that the peer on `side` sends to: the relay's face towards it.
    public func face(towards side: Side) -> TransportAddress { engine.face(towards: side) }

    /// The address that stands for the peer on `side` in the eyes of the other one: what to write into its
    /// candidates in place of its own address.
    public func face(for side: Side) -> TransportAddress { engine.face(towards: side.other) }

    /// The address of the peer on `side`, if it is set or learned already.
    public func peer(_ side: Side) -> TransportAddress? { engine.peer(side) }

    /// Sets the address of the peer on `side`; nil: it is learned anew.
    public func setPeer(_ address: TransportAddress?, for side: Side) { engine.setPeer(address, for: side) }

    /// Makes the link of what the peer on `side` sends another one, at once: its times begin now. What is in flight
    /// arrives as it would have.
    public func setLink(_ description: LinkDescription, from side: Side) { engine.setLink(description, from: side) }

    /// Gives the peer on `side` a new port in the eyes of the other one, as a NAT does that has forgotten its
    /// mapping: ``face(for:)`` changes, and what the other peer sends to the port before is lost.
    public func rebind(_ side: Side) throws(LiveRelayError) { try engine.rebind(side) }

    /// What has become of the datagrams that the peer on `side` sent.
    public func statistics(from side: Side) -> RelayStatistics { engine.statistics(from: side) }
}
