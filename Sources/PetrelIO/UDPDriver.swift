internal import NIOCore
internal import NIOPosix
public import PetrelCore

/// Datagrams in and out of an engine: any number of UDP sockets, one thread of SwiftNIO's, one timer.
///
/// Everything that touches the engine runs on the driver's event loop: hand work over with ``run(_:)``.
public final class UDPDriver: DatagramDriver, @unchecked Sendable {
    // @unchecked: all mutable state is confined to `loop`, but for `door`, which is a lock.
    private struct Door: Sendable {
        var isOpen = true
        /// Nothing is under way any more, and whoever closes may end the thread.
        var hasEnded = false
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    private struct Socket {
        let local: TransportAddress
        let channel: any Channel
        let sending: SendSocket
    }

    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let door = Lock(Door())
    private var sockets: [Socket] = []
    private weak var engine: (any DatagramEngine)?
    private var timer: DriverTimer?
    private var isClosed = false
    /// Sockets that are being opened: a loop that ends meanwhile would never tell what became of them.
    private var opening = 0
    /// What was sent and what was not. On the driver's thread only.
    public private(set) var counts = DriverCounts()

    /// The longest datagram that is handed over; longer ones are no media and no control of ours.
    public static let longestDatagram = 2048
    /// The kernel's buffers of each socket in bytes: a second of 16 Mbit/s. Where they are small, a burst is lost
    /// before anybody has seen it.
    static let bufferSize = 1 << 21

    public init() {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        loop = group.next()
        timer = DriverTimer(loop) { [weak self] now in self?.engine?.settle(now: now) }
    }

    /// Runs `work` on the driver's thread, in the order of the calls. Once the driver is closed it is not run.
    public func run(_ work: @escaping @Sendable () -> Void) {
        // Held while the work is handed over, so that none comes to a loop that has ended.
        door.withLock { if $0.isOpen { loop.execute(work) } }
    }

    /// Runs `work` on the driver's thread and answers what it answered; nil once the driver is closed.
    public func perform<Answer: Sendable>(_ work: @escaping @Sendable () throws -> Answer) async throws -> Answer? {
        // The work itself resumes the caller: a future's `get` comes to the loop a second time, and by then the loop may
        // have ended, which nobody would ever be told.
        try await withCheckedThrowingContinuation { continuation in
            let isTaken = door.withLock { door in
                if door.isOpen { loop.execute { continuation.resume(with: Swift.Result { .some(try work()) }) } }
                return door.isOpen
            }
            if !isTaken { continuation.resume(returning: nil) }
        }
    }

    /// Whether the caller runs on the driver's thread.
    public var isOnDriver: Bool { loop.inEventLoop }

    /// Names the engine that is driven. To be called before the first socket is opened.
    public func drive(_ engine: any DatagramEngine) { run { self.engine = engine } }

    /// Opens a socket. Port 0 lets the system choose.
    /// - Returns: the address with its port.
    /// - Throws: ``SocketError`` with the address and the reason in words.
    public func open(_ address: TransportAddress) async throws -> TransportAddress {
        try await take(try SendSocket.open(address), at: address)
    }

    /// Opens a socket on the first port of a range that is free, beginning anywhere in it and going round.
    /// - Parameter first: where to begin, as a distance from the lower end: random, so that calls that begin together do
    ///   not all try the same ports.
    /// - Returns: the address with its port.
    /// - Throws: ``SocketError``; where all are taken its ``SocketError/takenPorts`` is the range.
    public func open(
        _ address: TransportAddress, ports: ClosedRange<UInt16>, first: UInt64
    ) async throws -> TransportAddress {
        for step in 0..<UInt64(ports.count) {
            var wanted = address
            wanted.port =
                ports.lowerBound
                + UInt16(truncatingIfNeeded: (first % UInt64(ports.count) + step) % UInt64(ports.count))
            do {
                return try await take(try SendSocket.open(wanted), at: wanted)
            } catch let error as SocketError where error.isPortTaken {}
        }
        throw SocketError(takenPorts: ports, at: address)
    }

    private func take(
        _ opened: (reading: Int32, sending: SendSocket), at address: TransportAddress
    ) async throws -> TransportAddress {
        let (reading, sending) = opened
        let closed = SocketError("the socket at \(address) was closed while it was being opened")
        return try await withCheckedThrowingContinuation { continuation in
            let isTaken = door.withLock { door in
                if door.isOpen {
                    loop.execute { [self] in
                        opening += 1
                        bind(reading).whenComplete { bound in
                            continuation.resume(with: self.opened(bound, sending: sending, address, closed))
                        }
                    }
                }
                return door.isOpen
            }
            guard !isTaken else { return }
            Platform.close(reading)
            continuation.resume(throwing: closed)
        }
    }

    private func bind(_ descriptor: Int32) -> EventLoopFuture<any Channel> {
        DatagramBootstrap(group: loop)
            .channelOption(.socketOption(.so_rcvbuf), value: Self.bufferSize)
            .channelOption(.socketOption(.so_sndbuf), value: Self.bufferSize)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65536))
            .channelOption(.datagramVectorReadMessageCount, value: 16)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(driver: self))
                }
            }
            .withBoundSocket(descriptor)
    }

    private func opened(
        _ bound: Result<any Channel, any Error>, sending: SendSocket, _ address: TransportAddress, _ closed: SocketError
    ) -> Result<TransportAddress, any Error> {
        defer {
            opening -= 1
            if opening == 0, isClosed { tellClosers() }
        }
        switch bound {
        case .failure(let error):
            return .failure(SocketError("a UDP socket cannot be opened at \(address): \(error)"))
        case .success(let channel):
            guard !isClosed, let local = channel.localAddress.flatMap({ TransportAddress($0) }) else {
                channel.close(promise: nil)
                return .failure(closed)
            }
            sockets.append(Socket(local: local, channel: channel, sending: sending))
            return .success(local)
        }
    }

    /// Closes one socket. On the driver's thread only.
    public func close(_ local: TransportAddress) {
        guard let index = sockets.firstIndex(where: { $0.local == local }) else { return }
        sockets.remove(at: index).channel.close(promise: nil)
    }

    /// The addresses of the open sockets. On the driver's thread only.
    public var localAddresses: [TransportAddress] { sockets.map(\.local) }

    /// Sends what waits in `batch` and empties it. On the driver's thread only.
    public func send(_ batch: inout EgressBatch) {
        for index in 0..<batch.count {
            let entry = batch.entry(index)
            guard let socket = sockets.first(where: { $0.local == entry.source }) else {
                counts.sendFailures &+= 1
                continue
            }
            if let reason = socket.sending.send(batch.bytes(index), to: entry.destination) {
                counts.sendFailures &+= 1
                counts.lastSendError = reason
            } else {
                counts.datagramsSent &+= 1
                counts.bytesSent &+= UInt64(entry.length)
            }
        }
        batch.removeAll()
    }

    /// Asks for a call of ``DatagramEngine/settle(now:)`` at `deadline`. On the driver's thread only.
    public func wake(at deadline: Instant) {
        if !isClosed { timer?.wake(at: deadline) }
    }

    /// A timer of its own on this driver's thread.
    public func makeTimer(_ work: @escaping @Sendable (Instant) -> Void) -> DriverTimer { DriverTimer(loop, work) }

    /// Closes all sockets and ends the thread. Nothing is called any more once it has returned; it may be called again.
    ///
    /// What was handed over before is still done.
    public func close() async {
        await withCheckedContinuation { continuation in
            let hasEnded = door.withLock { door in
                if door.isOpen { loop.execute { [self] in end() } }
                door.isOpen = false
                if !door.hasEnded { door.closers.append(continuation) }
                return door.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
        try? await group.shutdownGracefully()
    }

    private func end() {
        isClosed = true
        timer?.cancel()
        engine = nil
        for socket in sockets { socket.channel.close(promise: nil) }
        sockets = []
        if opening == 0 { tellClosers() }
    }

    private func tellClosers() {
        let closers = door.withLock { door in
            door.hasEnded = true
            defer { door.closers = [] }
            return door.closers
        }
        for closer in closers { closer.resume() }
    }

    fileprivate func received(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress
    ) {
        engine?.receive(bytes, from: remote, to: local, now: MonotonicClock.now)
    }

    fileprivate func readComplete() { engine?.settle(now: MonotonicClock.now) }

    fileprivate func refused() { counts.datagramsRefused &+= 1 }

    fileprivate func ended(_ local: TransportAddress) {
        guard let index = sockets.firstIndex(where: { $0.local == local }) else { return }
        sockets.remove(at: index)
        engine?.socketEnded(local, now: MonotonicClock.now)
    }
}

/// Copies each datagram to memory of its own, since NIO's buffers are shared between the datagrams of one read.
private final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let driver: UDPDriver
    private var local: TransportAddress?
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: UDPDriver.longestDatagram, alignment: 64)

    init(driver: UDPDriver) { self.driver = driver }

    deinit { scratch.deallocate() }

    func channelActive(context: ChannelHandlerContext) {
        local = context.channel.localAddress.flatMap { TransportAddress($0) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let local, let remote = TransportAddress(envelope.remoteAddress) else { return }
        let length = envelope.data.readableBytes
        guard length > 0, length <= scratch.count else {
            driver.refused()
            return
        }
        envelope.data.withUnsafeReadableBytes { scratch.copyMemory(from: $0) }
        driver.received(UnsafeMutableRawBufferPointer(rebasing: scratch[..<length]), from: remote, to: local)
    }

    func channelReadComplete(context: ChannelHandlerContext) { driver.readComplete() }

    func channelInactive(context: ChannelHandlerContext) {
        if let local { driver.ended(local) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // ECONNREFUSED and its like; where the channel does not survive it, it becomes inactive.
    }
}
