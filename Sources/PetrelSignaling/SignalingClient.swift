internal import Foundation
public import Petrel
internal import PetrelSDP

/// How a ``SignalingClient`` works.
public struct SignalingConfiguration: Sendable {
    /// The bearer token (RFC 6750). It is sent to the origin (scheme, host and port) of the address that was given, and
    /// nowhere else: not after a redirect to another origin, and not to a session that the server keeps on another.
    public var token: String?
    /// Seconds until an answer must have come whole, redirects included.
    public var answerSeconds = 10.0
    /// Look for a new way through the network by an ICE restart (RFC 9725 section 4.3.3) when the old one is lost.
    public var restartsICE = true

    /// Creates the defaults.
    public init() {}
}

/// The client side of WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): puts a ``Petrel/Call`` through to a media server
/// by HTTP or HTTPS.
///
/// ```swift
/// let call = try await Call()
/// try await call.addVideo(try DeviceVideoSource.camera())
/// try await call.addAudio(try DeviceAudioSource.microphone())
/// let session = try await SignalingClient().publish(call, to: "https://media.example.org/whip/garden")
/// try await session.ended()          // or, when it is enough: try await session.end()
/// ```
public struct SignalingClient: Sendable {
    private let configuration: SignalingConfiguration

    /// Creates a client. It holds nothing: one may serve many calls.
    public init(_ configuration: SignalingConfiguration = SignalingConfiguration()) {
        self.configuration = configuration
    }

    /// Sends the tracks of a call to a WHIP endpoint: call it once they have been added.
    ///
    /// It returns when the server has answered; media flows a moment later (`call.connected()`).
    /// - Throws: ``SignalingError``. Then the server keeps no session, and the call is not connected.
    public func publish(_ call: Call, to endpoint: String) async throws(SignalingError) -> SignalingSession {
        do { try await call.sendOnly() } catch { throw Self.fault(error) }
        return try await open(.publish, endpoint, call)
    }

    /// Receives what a WHEP endpoint sends: `call.events` brings the tracks.
    ///
    /// It returns when the server has answered; media flows a moment later (`call.connected()`).
    /// - Parameters:
    ///   - call: one without tracks of its own.
    ///   - video: ask for the picture.
    ///   - audio: ask for the sound.
    /// - Throws: ``SignalingError``. Then the server keeps no session, and the call is not connected.
    public func play(
        _ endpoint: String, with call: Call, video: Bool = true, audio: Bool = true
    ) async throws(SignalingError) -> SignalingSession {
        do { try await call.receiveOnly(video: video, audio: audio) } catch { throw Self.fault(error) }
        return try await open(.play, endpoint, call)
    }

    /// What the call says, as an error of signalling.
    static func fault(_ error: any Error) -> SignalingError {
        switch error {
        case let error as SignalingError: error
        case CallError.badDescription(let text):
            SignalingError(.badAnswer, "the server's session description cannot be used: \(text)")
        case is CancellationError: SignalingError(.cancelled, "cancelled")
        default: SignalingError(.call, "\(error)")
        }
    }

    // MARK: Opening a session

    private func open(_ kind: StreamKind, _ endpoint: String, _ call: Call) async throws(SignalingError)
        -> SignalingSession
    {
        let address = try HTTPAddress(endpoint)
        if let token = configuration.token, !HTTPClient.isToken(token) {
            throw SignalingError(
                .badToken,
                "the token holds characters that no bearer token has: letters, digits and -._~+/= are possible")
        }
        let client = HTTPClient(home: address, token: configuration.token, seconds: configuration.answerSeconds)
        let news = call.signallingNews()
        let offer: String
        do {
            // More candidates may follow, of STUN servers that the answer names: nothing is at its end yet.
            offer = Self.withoutEnd(try await call.createOffer())
        } catch { throw Self.fault(error) }
        do throws(SignalingError) {
            let (answer, from) = try await client.send(
                "POST", to: address, headers: ["Content-Type": Self.sdp, "Accept": Self.sdp], body: offer)
            switch answer.status {
            case 201: return try await begin(kind, call, client, answer, from, offer, news)
            case 406 where kind == .play && answer.mediaType == Self.sdp:
                return try await counter(call, client, answer, from, news)
            default: throw client.refusal(answer, from: from, kind)
            }
        } catch {
            // The call may be offered to somebody else.
            try? await call.rollback()
            throw error
        }
    }

    static let sdp = "application/sdp"

    /// The 201: an answer and the address of the session (RFC 9725 section 4.2).
    private func begin(
        _ kind: StreamKind, _ call: Call, _ client: HTTPClient, _ answer: HTTPAnswer, _ from: HTTPAddress,
        _ offer: String, _ news: AsyncStream<SignallingNews>
    ) async throws(SignalingError) -> SignalingSession {
        let session = try Self.location(answer, from)
        do throws(SignalingError) {
            let text = try Self.description(answer, from)
            do { try await call.accept(answer: text) } catch { throw Self.fault(error) }
            if Task.isCancelled { throw SignalingError(.cancelled, "cancelled") }
            let state = SignalingSession.Agreement(
                etag: Self.etag(answer), offer: offer, remote: text, remoteOffered: false)
            return await start(kind, call, client, session, answer, state, news)
        } catch {
            await Self.abandon(session, client)
            throw error
        }
    }

    /// The 406 of WHEP: the server makes an offer of its own, and wants our answer by PATCH.
    private func counter(
        _ call: Call, _ client: HTTPClient, _ answer: HTTPAnswer, _ from: HTTPAddress,
        _ news: AsyncStream<SignallingNews>
    ) async throws(SignalingError) -> SignalingSession {
        let session = try Self.location(answer, from)
        do throws(SignalingError) {
            let theirs = try Self.description(answer, from)
            let ours: String
            do {
                try await call.rollback()
                ours = Self.withoutEnd(try await call.answer(theirs))
            } catch { throw Self.fault(error) }
            var headers = ["Content-Type": Self.sdp]
            if let etag = Self.etag(answer) { headers["If-Match"] = etag }
            let (reply, place) = try await client.send("PATCH", to: session, headers: headers, body: ours)
            guard (200...204).contains(reply.status) else { throw client.refusal(reply, from: place, .play) }
            if Task.isCancelled { throw SignalingError(.cancelled, "cancelled") }
            let state = SignalingSession.Agreement(
                etag: Self.etag(reply) ?? Self.etag(answer), offer: ours, remote: theirs, remoteOffered: true)
            return await start(.play, call, client, session, answer, state, news)
        } catch {
            await Self.abandon(session, client)
            throw error
        }
    }

    private func start(
        _ kind: StreamKind, _ call: Call, _ client: HTTPClient, _ address: HTTPAddress, _ answer: HTTPAnswer,
        _ state: SignalingSession.Agreement, _ news: AsyncStream<SignallingNews>
    ) async -> SignalingSession {
        let servers = LinkHeader.iceServers(answer.headers["link"] ?? "")
        let session = SignalingSession(
            kind: kind, call: call, client: client, address: address, iceServers: servers, agreement: state,
            restartsICE: configuration.restartsICE)
        await session.begin(news)
        return session
    }

    /// A session that came to nothing is not left on the server. It is told even where our task was cancelled.
    private static func abandon(_ session: HTTPAddress, _ client: HTTPClient) async {
        let quick = HTTPClient(home: client.home, token: client.token, seconds: min(3, client.seconds))
        await Task { _ = try? await quick.send("DELETE", to: session) }.value
    }

    // MARK: Parts of an answer

    private static func location(_ answer: HTTPAnswer, _ from: HTTPAddress) throws(SignalingError) -> HTTPAddress {
        guard let text = answer.headers["location"] else {
            throw SignalingError(
                .badAnswer, "\(from.place) answers without the address of a session (Location)", status: answer.status)
        }
        guard let address = from.resolve(text) else {
            throw SignalingError(
                .badAnswer,
                "\(from.place) names a session at '\(text.prefix(100))', which is no address of http or https",
                status: answer.status)
        }
        guard address.isSecure || !from.isSecure else {
            throw SignalingError(
                .badAnswer, "\(from.place) names a session on plain HTTP (\(address.place)), which is not followed",
                status: answer.status)
        }
        return address
    }

    private static func description(_ answer: HTTPAnswer, _ from: HTTPAddress) throws(SignalingError) -> String {
        guard answer.mediaType == sdp else {
            let type = answer.mediaType.isEmpty ? "nothing known" : "'\(answer.mediaType.prefix(60))'"
            throw SignalingError(
                .badAnswer, "\(from.place) answers with \(type) in place of \(sdp): is it a WHIP or WHEP endpoint?",
                status: answer.status)
        }
        guard let text = answer.text, !text.isEmpty else {
            throw SignalingError(
                .badAnswer, "\(from.place) answers with a session description that is empty or no UTF-8",
                status: answer.status)
        }
        return text
    }

    /// An entity tag (RFC 9110 section 8.8.3); nil where there is none that could be sent back.
    static func etag(_ answer: HTTPAnswer) -> String? {
        guard let text = answer.headers["etag"], text.utf8.count <= 256 else { return nil }
        let body = text.hasPrefix("W/") ? text.dropFirst(2) : text[...]
        guard body.utf8.count >= 2, body.hasPrefix("\""), body.hasSuffix("\"") else { return nil }
        let inside = body.dropFirst().dropLast()
        return inside.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") } ? text : nil
    }

    private static func withoutEnd(_ description: String) -> String {
        description.replacing("a=end-of-candidates\r\n", with: "")
    }
}

extension SignalingClient {
    /// Whether an address can be one of an endpoint: to say so before anything else is begun.
    /// - Throws: ``SignalingError/Reason/badAddress`` with what is wrong.
    public static func check(_ endpoint: String) throws(SignalingError) { _ = try HTTPAddress(endpoint) }
}
