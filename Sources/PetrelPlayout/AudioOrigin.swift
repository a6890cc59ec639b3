/// How a packet of sound got here.
public enum AudioOrigin: UInt8, Hashable, Sendable {
    /// In the packet that was sent for it.
    case media
    /// In a later packet (RFC 2198).
    case redundancy
    /// Sent again because it was asked for.
    case retransmission
}

/// What the packet that brought some sound brought besides (RFC 2198), in ticks of 48 kHz.
public struct AudioRedundancyScheme: Hashable, Sendable {
    /// Nothing.
    public static let none = AudioRedundancyScheme()

    /// How far back the earliest sound in the packet lies, and how many packets of earlier sound there are.
    public var reach: Int
    public var depth: Int
    /// How much later than its own the packet was that this sound came in; zero where it came in its own.
    public var distance: Int

    public init(reach: Int = 0, depth: Int = 0, distance: Int = 0) {
        (self.reach, self.depth, self.distance) = (reach, depth, distance)
    }
}
