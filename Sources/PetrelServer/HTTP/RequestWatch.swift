internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOSSL

/// A request did not come whole in time.
struct RequestTooSlow: Error {}

/// Ends a connection that takes too long over a request, and one that takes too long to read its answer.
///
/// The time of a request runs from the connection, or from the last answer, and not from its own first octet: a client
/// that sends an octet now and then gains nothing. Within it falls the answer 408, and the time in which its sender can
/// read it.
final class RequestWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long what is left of a refused request is still read, so that its sender sees the answer and no reset.
    private static let lingering = TimeAmount.seconds(1)

    /// The shares of the time after which a body is given up and after which the connection ends: what is between them
    /// is for the answer.
    private static let (bodyShare, wholeShare) = (0.8, 0.95)

    private let seconds: Double
    private var slowBody: Scheduled<Void>?
    private var end: Scheduled<Void>?
    private var slowReader: Scheduled<Void>?
    /// Between the head of a request and its end.
    private var isReading = false
    /// Requests that are not answered yet, the one that is being read included.
    private var unanswered = 0
    /// Answers that are not in the hands of the system yet.
    private var unwritten = 0
    /// What came was no request: there is one more answer, and then the end.
    private var failure: HTTPParserError?

    /// - Parameter seconds: within which a connection has brought a whole request, or is over.
    init(seconds: Double) { self.seconds = seconds }

    func handlerAdded(context: ChannelHandlerContext) {
        // Which version of HTTP a request is of can be seen there alone.
        let pipeline = context.pipeline.syncOperations
        if let decoder = try? pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self) {
            try? pipeline.addHandler(OldRequests(), position: .after(decoder.handler))
        }
        if context.channel.isActive { beginTime(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        beginTime(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isReading = true
            unanswered += 1
            if end == nil { beginTime(context) }
        case .body: break
        case .end:
            isReading = false
            endTime()
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if failure == nil { failure = error as? HTTPParserError }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where unanswered == 0 && failure == .headerOverflow:
            // The framework says 400 to all that is no request; this one is only too large (RFC 6585 section 5).
            head.status = .requestHeaderFieldsTooLarge
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .head, .body: context.write(data, promise: promise)
        case .end:
            // Of a request that was refused before it had come whole, what still comes is of no use.
            if unanswered <= 1, isReading || failure != nil {
                linger(context)
            } else if unanswered <= 1 || isReading {
                beginTime(context)
            }
            unanswered = max(0, unanswered - 1)
            let written = promise ?? context.eventLoop.makePromise()
            awaitReader(context, written.futureResult)
            context.write(data, promise: written)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        endTime()
        slowReader?.cancel()
        context.fireChannelInactive()
    }

    // MARK: The time of a request

    private func beginTime(_ context: ChannelHandlerContext) {
        endTime()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        slowBody = context.eventLoop.scheduleTask(in: time(Self.bodyShare)) {
            let (watch, context) = bound.value
            if watch.isReading { context.fireErrorCaught(RequestTooSlow()) }
        }
        end = context.eventLoop.scheduleTask(in: time(Self.wholeShare)) { Self.close(bound.value.1) }
    }

    private func endTime() {
        slowBody?.cancel()
        end?.cancel()
        (slowBody, end) = (nil, nil)
    }

    /// The connection ends soon, and not later than it would have.
    private func linger(_ context: ChannelHandlerContext) {
        slowBody?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.lingering) { Self.close(bound.value) }
    }

    private func time(_ share: Double) -> TimeAmount { .milliseconds(Int64(seconds * share * 1000)) }

    // MARK: The time of an answer

    /// Each answer has to be gone within the time of a request, counted from where it or the one before it could go.
    private func awaitReader(_ context: ChannelHandlerContext, _ written: EventLoopFuture<Void>) {
        unwritten += 1
        if unwritten == 1 { beginReader(context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.whenComplete { _ in
            let (watch, context) = bound.value
            watch.unwritten -= 1
            watch.slowReader?.cancel()
            if watch.unwritten > 0, context.channel.isActive { watch.beginReader(context) }
        }
    }

    private func beginReader(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        slowReader = context.eventLoop.scheduleTask(in: time(Self.wholeShare)) { Self.close(bound.value) }
    }

    /// Closes at once. A good-bye of TLS would wait for that of the other side, which is slow.
    private static func close(_ context: ChannelHandlerContext) {
        let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
        if let tls { tls.close(promise: nil) } else { context.channel.close(promise: nil) }
    }
}

/// Says `Connection: close` for clients of HTTP/1.0, which do not know that a connection may go on, and which the
/// framework cannot tell from others.
private final class OldRequests: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data), (head.version.major, head.version.minor) < (1, 1) else {
            return context.fireChannelRead(data)
        }
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }
}
