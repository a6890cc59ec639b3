internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import Petrel
internal import PetrelIO

/// An HTTP server whose clients are browsers: they call, publish (WHIP, RFC 9725) and watch (WHEP), and its page is one
/// of those clients.
public final class MediaServer: Sendable {
    /// The version that `/status` tells.
    public static let version = "0.2.0"

    private struct State: Sendable {
        var task: Task<Void, any Error>?
        var channel: (any Channel)?
    }

    private let configuration: ServerConfiguration
    private let registry: SessionRegistry
    private let endpoint: Endpoint
    private let state = Lock(State())

    /// - Throws: ``ServerError`` where a setting makes no sense or a certificate cannot be read.
    public init(_ configuration: ServerConfiguration) throws {
        guard (0...65_535).contains(configuration.port) else {
            throw ServerError("port \(configuration.port): 0 to 65535 are possible")
        }
        guard configuration.maximumPeers > 0 else { throw ServerError("at least one peer must be possible") }
        guard configuration.tokens.allSatisfy({ Self.isToken($0) }) else {
            throw ServerError("a token is made of letters, digits and -._~+/= only (RFC 6750)")
        }
        self.configuration = configuration
        if configuration.link != nil, let ports = configuration.udpPorts, ports.count == 1 {
            throw ServerError(
                "behind a link every peer has a relay of its own: one UDP port is not enough, name a range")
        }
        let link = configuration.link.map {
            LabLink(configuration, forward: $0.forward, backward: $0.backward)
        }
        let film = MediaStream(name: StreamDirectory.film) { stream in
            FilmSource(
                to: stream, video: configuration.video, audio: configuration.audio, size: configuration.videoSize,
                framesPerSecond: configuration.framesPerSecond, stamps: configuration.stampsPictures,
                logger: configuration.logger)
        }
        let streams = StreamDirectory(film: film, limit: configuration.limits.streams)
        registry = SessionRegistry(configuration, link: link, streams: streams)
        endpoint = Endpoint(
            configuration: configuration, tokens: BearerTokens(configuration.tokens), registry: registry,
            streams: streams, link: link)
    }

    /// b64token of RFC 6750 section 2.1.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x2F, 0x3D, 0x5F, 0x7E: true
                default: false
                }
            }
    }

    /// Begins to serve.
    /// - Returns: the address of the page.
    /// - Throws: ``ServerError`` where the port is taken, the host is no address of this machine, or the certificate
    ///   cannot be used.
    public func start() async throws -> String {
        if let ports = configuration.udpPorts, ports.count == 1 {
            do {
                await registry.use(
                    try await SharedPort(hosts: configuration.call.localAddresses, port: ports.lowerBound))
            } catch { throw ServerError("the UDP port \(ports.lowerBound) cannot be used: \(error)") }
        }
        do { return try await serve() } catch {
            await registry.close()
            throw error
        }
    }

    private func serve() async throws -> String {
        let (running, continuation) = AsyncStream.makeStream(of: (any Channel).self)
        let builder = try serverBuilder()
        let application = Application(
            responder: endpoint, server: builder,
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "petrel", backlog: 1024,
                availableConnectionsDelegate: .maximum(configuration.limits.connections, logger: quiet)),
            onServerRunning: { channel in
                continuation.yield(channel)
                continuation.finish()
            }, logger: quiet)
        let task = Task {
            defer { continuation.finish() }
            try await application.run()
        }
        state.withLock { $0.task = task }
        for await channel in running {
            state.withLock { $0.channel = channel }
            let port = channel.localAddress?.port ?? configuration.port
            let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
            return "\(configuration.certificate == nil ? "http" : "https")://\(host):\(port)/"
        }
        do { try await task.value } catch let error as IOError {
            let place = "\(configuration.host), port \(configuration.port)"
            throw ServerError(
                error.errnoCode == EADDRINUSE
                    ? "another program serves at \(place) already" : "cannot serve at \(place): \(readable(error))")
        } catch { throw ServerError("cannot serve at \(configuration.host): \(error)") }
        throw ServerError("the server ended before it began")
    }

    private func readable(_ error: IOError) -> String { String(cString: strerror(error.errnoCode)) }

    /// The framework's own lines are for those who look for a fault in it.
    private var quiet: Logger {
        var logger = configuration.logger
        if logger.logLevel > .debug { logger.logLevel = .error }
        return logger
    }

    private func serverBuilder() throws -> HTTPServerBuilder {
        let limits = configuration.limits
        let http = HTTPServerBuilder.http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [RequestWatch(seconds: limits.requestSeconds)],
                httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
                    maxHeaderFieldSize: limits.headerFieldBytes, maxHeaderListSize: limits.headerBytes,
                    maxHeaderFieldCount: limits.headerFields)))
        guard let certificate = configuration.certificate else { return http }
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(certificate.chain) } catch {
            throw ServerError("the certificate \(certificate.chain) cannot be read: \(error)")
        }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: certificate.key, format: .pem) } catch {
            throw ServerError("the key \(certificate.key) cannot be read: \(error)")
        }
        do {
            return try .tls(
                http,
                tlsConfiguration: .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key)))
        } catch { throw ServerError("certificate and key cannot be used: \(error)") }
    }

    /// Ends all calls, their other sides are told, and stops to serve.
    public func stop() async {
        await registry.close()
        let (task, channel) = state.withLock { ($0.task, $0.channel) }
        try? await channel?.close()
        task?.cancel()
        _ = try? await task?.value
    }

    /// How many peers there are.
    public var peers: Int { get async { await registry.count } }
}
