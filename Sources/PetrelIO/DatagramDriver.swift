public import PetrelCore

/// What a ``DatagramDriver`` drives: told of datagrams and of time, always on the driver's own thread.
public protocol DatagramEngine: AnyObject, Sendable {
    /// One datagram arrived. The bytes may be changed in place and are gone when the call returns.
    func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant)
    /// The datagrams of one read have been handed over, or a deadline has passed.
    func settle(now: Instant)
    /// A socket has ended by itself: nothing comes from it or leaves by it any more.
    func socketEnded(_ local: TransportAddress, now: Instant)
}

extension DatagramEngine {
    /// An engine that cannot do without a socket hears nothing more from it.
    public func socketEnded(_ local: TransportAddress, now: Instant) {}
}

/// What a ``DatagramDriver`` has done.
public struct DriverCounts: Hashable, Sendable {
    /// Datagrams that the kernel took, and their bytes.
    public var datagramsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    /// Datagrams that it refused, or whose socket is gone; they are lost like any other.
    public var sendFailures: UInt64 = 0
    /// The system's number for the last refusal (errno).
    public var lastSendError: Int32?
    /// Datagrams that were longer than ``UDPDriver/longestDatagram``, or empty.
    public var datagramsRefused: UInt64 = 0

    public init() {}
}

/// Datagrams in and out of one engine, on one thread: sockets of its own (``UDPDriver``), or a share of somebody else's.
public protocol DatagramDriver: AnyObject, Sendable {
    /// Whether the caller runs on the driver's thread.
    var isOnDriver: Bool { get }
    /// What was sent and what was not. On the driver's thread only.
    var counts: DriverCounts { get }
    /// The addresses of the open sockets. On the driver's thread only.
    var localAddresses: [TransportAddress] { get }

    /// Names the engine that is driven.
    func drive(_ engine: any DatagramEngine)
    /// Runs `work` on the driver's thread, in the order of the calls. Once the driver is closed it is not run.
    func run(_ work: @escaping @Sendable () -> Void)
    /// Runs `work` on the driver's thread and answers what it answered; nil once the driver is closed.
    func perform<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result?
    /// Sends what waits in `batch` and empties it. On the driver's thread only.
    func send(_ batch: inout EgressBatch)
    /// Asks for a call of ``DatagramEngine/settle(now:)`` at `deadline`. On the driver's thread only.
    func wake(at deadline: Instant)
    /// Nothing comes any more from this local address. On the driver's thread only.
    func close(_ local: TransportAddress)
    /// Ends everything. Nothing is called any more once it has returned; it may be called again.
    func close() async
}
