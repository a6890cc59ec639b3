internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Closes a connection whose request does not come whole in time, and one that was answered before its request had come
/// whole: what still comes there is of no use.
///
/// The framework's own idle time does not see a client that sends an octet now and then.
final class RequestWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long what is left of a refused request is still read, so that its sender sees the answer and no reset.
    private static let lingering = TimeAmount.seconds(1)

    private let patience: TimeAmount
    private var deadline: Scheduled<Void>?
    private var isReading = false

    /// - Parameter seconds: a little more than the body itself is waited for, so that the answer 408 comes first.
    init(seconds: Double) { patience = .milliseconds(Int64((seconds + 1) * 1000)) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isReading = true
            close(context, in: patience)
        case .body: break
        case .end:
            isReading = false
            deadline?.cancel()
            deadline = nil
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data), isReading { close(context, in: Self.lingering) }
        context.write(data, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }
}
