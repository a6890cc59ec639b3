public import PetrelCore

/// A datagram that a ``VirtualNetwork`` delivers.
public struct VirtualDatagram {
    /// When it arrives.
    public let arrival: Instant
    /// When it was sent.
    public let sent: Instant
    /// The sender as the receiver sees it: behind a NAT, the mapping at the time of sending.
    public let source: TransportAddress
    /// The receiver's own address, also where it was sent to the receiver's NAT mapping.
    public let destination: TransportAddress
    /// The bytes, valid until the next ``VirtualNetwork/popArrival(notAfter:)``.
    public let bytes: UnsafeRawBufferPointer
}

/// What a tap on a ``VirtualNetwork`` sees.
public struct TapRecord: Hashable, Sendable {
    /// What a tap sees.
    public enum Event: Hashable, Sendable {
        /// It has been sent, and this becomes of it in the link.
        case sent(Passage)
        /// It has been handed to its receiver.
        case delivered
        /// It had crossed its link, and nobody was there any more.
        case undeliverable
    }

    /// What happened, and when.
    public let event: Event
    public let time: Instant
    /// The sender as the network sees it.
    public let source: TransportAddress
    /// The address it was sent to.
    public let destination: TransportAddress
}
