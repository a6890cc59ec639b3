/// What a ``LiveRelay`` has done with the datagrams of one direction.
///
/// Every datagram is somewhere: `received == foreign + tooLong + link.offered`, and
/// `link.delivered + link.duplicated == forwarded + unaddressed + sendFailed + overflowed + waiting`.
public struct RelayStatistics: Sendable {
    /// Datagrams that came to the face of this direction's sender.
    public internal(set) var received: UInt64 = 0
    /// Their bytes.
    public internal(set) var bytesReceived: UInt64 = 0
    /// Datagrams from an address that is not the peer's: not let in.
    public internal(set) var foreign: UInt64 = 0
    /// Datagrams longer than ``LiveRelay/maximumDatagram``: not let in.
    public internal(set) var tooLong: UInt64 = 0
    /// Datagrams sent on to the other peer, second copies included.
    public internal(set) var forwarded: UInt64 = 0
    /// Their bytes.
    public internal(set) var bytesForwarded: UInt64 = 0
    /// Datagrams whose time came when the other peer's address was not known yet.
    public internal(set) var unaddressed: UInt64 = 0
    /// Datagrams that the kernel did not take.
    public internal(set) var sendFailed: UInt64 = 0
    /// Datagrams for which the relay had no memory.
    public internal(set) var overflowed: UInt64 = 0
    /// Datagrams in flight at this moment.
    public internal(set) var waiting: UInt64 = 0
    /// The link of this direction: what was lost, and why.
    public internal(set) var link = LinkStatistics()
    /// How long after its time a datagram left.
    public internal(set) var lateness = LatenessHistogram()
}
