internal import NIOCore
internal import NIOPosix
public import PetrelCore

/// What a ``UDPDriver`` drives: told of datagrams and of time, always on the driver's own thread.
public protocol DatagramEngine: AnyObject, Sendable {
    /// One datagram arrived. The bytes may be changed in place and are gone when the call returns.
    func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant)
    /// The datagrams of one read have been handed over, or a deadline has passed.
    func settle(now: Instant)
}

/// A socket could not be had.
public struct SocketError: Error, CustomStringConvertible, Sendable {
    public let description: String
}

/// Datagrams in and out of an engine by SwiftNIO: any number of UDP sockets, one thread, one timer.
///
/// Everything that touches the engine runs on the driver's event loop: hand work over with ``run(_:)``.
public final class UDPDriver: @unchecked Sendable {
    // @unchecked: all mutable state is confined to `loop`.
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private var channels: [(local: TransportAddress, channel: any Channel)] = []
    private weak var engine: (any DatagramEngine)?
    private var armed: Instant?
    private var timer: Scheduled<Void>?
    private var destinations: [TransportAddress: SocketAddress] = [:]
    private var isClosed = false
    /// Datagrams the kernel refused to take; they are lost like any other.
    public private(set) var sendFailures: UInt64 = 0
    /// Datagrams handed to the kernel, and their bytes.
    public private(set) var datagramsSent: UInt64 = 0
    public private(set) var bytesSent: UInt64 = 0

    /// The longest datagram that is handed over; longer ones are no media and no control of ours.
    static let longestDatagram = 2048
    /// Destinations whose socket address is kept ready. Beyond it the memory starts anew.
    static let destinationLimit = 256

    public init() {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        loop = group.next()
    }

    /// Runs `work` on the driver's thread, in the order of the calls.
    public func run(_ work: @escaping @Sendable () -> Void) { loop.execute(work) }

    /// Runs `work` on the driver's thread and answers what it answered.
    public func perform<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await loop.submit(work).get()
    }

    /// Whether the caller runs on the driver's thread.
    public var isOnDriver: Bool { loop.inEventLoop }

    /// Names the engine that is driven. To be called before the first socket is opened.
    public func drive(_ engine: any DatagramEngine) { run { self.engine = engine } }

    /// Opens a socket. Port 0 lets the system choose.
    /// - Returns: the address with its port.
    /// - Throws: ``SocketError`` with the address and the reason in words.
    public func open(_ address: TransportAddress) async throws -> TransportAddress {
        let bootstrap = DatagramBootstrap(group: loop)
            .channelOption(.socketOption(.so_rcvbuf), value: 1 << 21)
            .channelOption(.socketOption(.so_sndbuf), value: 1 << 21)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65536))
            .channelOption(.datagramVectorReadMessageCount, value: 16)
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(to: address.socketAddress).get()
        } catch {
            throw SocketError(description: "cannot open a UDP socket at \(address): \(error)")
        }
        return try await loop.submit { [self] in
            guard !isClosed, let bound = channel.localAddress.flatMap({ TransportAddress($0) }) else {
                channel.close(promise: nil)
                throw SocketError(description: "the socket at \(address) was closed while it was being opened")
            }
            try channel.pipeline.syncOperations.addHandler(DatagramHandler(driver: self, local: bound))
            channels.append((bound, channel))
            return bound
        }.get()
    }

    /// Sends what waits in `batch` and empties it. On the driver's thread only.
    public func send(_ batch: inout EgressBatch) {
        guard batch.count > 0 else { return }
        for index in 0..<batch.count {
            let entry = batch.entry(index)
            guard let channel = channel(for: entry.source) else {
                sendFailures &+= 1
                continue
            }
            datagramsSent &+= 1
            bytesSent &+= UInt64(entry.length)
            var buffer = channel.allocator.buffer(capacity: entry.length)
            buffer.writeBytes(batch.bytes(index))
            let envelope = AddressedEnvelope(remoteAddress: socketAddress(entry.destination), data: buffer)
            channel.pipeline.syncOperations.write(NIOAny(envelope), promise: nil)
        }
        for (_, channel) in channels { channel.pipeline.syncOperations.flush() }
        batch.removeAll()
    }

    /// Asks for a call of ``DatagramEngine/settle(now:)`` at `deadline`. On the driver's thread only.
    public func wake(at deadline: Instant) {
        guard deadline != .distantFuture, !isClosed else { return }
        if let armed, armed <= deadline { return }
        timer?.cancel()
        armed = deadline
        timer = loop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(clamping: deadline.nanoseconds))) { [weak self] in
            guard let self else { return }
            armed = nil
            timer = nil
            engine?.settle(now: MonotonicClock.now)
        }
    }

    /// Closes all sockets and ends the thread. Nothing is called any more once it has returned.
    public func close() async {
        try? await loop.submit { [self] in
            isClosed = true
            timer?.cancel()
            timer = nil
            engine = nil
            for (_, channel) in channels { channel.close(promise: nil) }
            channels = []
        }.get()
        try? await group.shutdownGracefully()
    }

    private func channel(for local: TransportAddress) -> (any Channel)? {
        for candidate in channels where candidate.local == local { return candidate.channel }
        return nil
    }

    private func socketAddress(_ address: TransportAddress) -> SocketAddress {
        if let known = destinations[address] { return known }
        if destinations.count >= Self.destinationLimit { destinations.removeAll() }
        let made = address.socketAddress
        destinations[address] = made
        return made
    }

    fileprivate func received(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress
    ) {
        engine?.receive(bytes, from: remote, to: local, now: MonotonicClock.now)
    }

    fileprivate func readComplete() { engine?.settle(now: MonotonicClock.now) }
}

/// Copies each datagram to memory of its own, since NIO's buffers are shared between the datagrams of one read.
private final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let driver: UDPDriver
    private let local: TransportAddress
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: UDPDriver.longestDatagram, alignment: 64)

    init(driver: UDPDriver, local: TransportAddress) {
        self.driver = driver
        self.local = local
    }

    deinit { scratch.deallocate() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let remote = TransportAddress(envelope.remoteAddress) else { return }
        let length = envelope.data.readableBytes
        guard length > 0, length <= scratch.count else { return }
        envelope.data.withUnsafeReadableBytes { scratch.copyMemory(from: $0) }
        driver.received(UnsafeMutableRawBufferPointer(rebasing: scratch[..<length]), from: remote, to: local)
    }

    func channelReadComplete(context: ChannelHandlerContext) { driver.readComplete() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // ECONNREFUSED and its like: the socket lives on, the datagram is lost like any other.
        driver.countFailure()
    }
}

extension UDPDriver {
    fileprivate func countFailure() { sendFailures &+= 1 }
}
