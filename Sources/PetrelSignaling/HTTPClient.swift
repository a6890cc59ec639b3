internal import Foundation

/// Requests with a token, redirects as WHIP and WHEP have them, and errors as sentences.
struct HTTPClient: Sendable {
    /// The origin that the person named: the only one that the token is sent to.
    let home: HTTPAddress
    let token: String?
    /// Until an answer must have come, redirects included.
    let seconds: Double

    /// Octets of a session description or fragment, as the parser has it; Chrome's largest have 10 kB.
    static let maximumBody = 256 * 1024
    /// Redirects of one request. Load balancers need one or two; a loop ends here.
    static let maximumRedirects = 5

    /// The characters of a bearer token (RFC 6750 section 2.1), which are also all that a header can safely hold.
    static func isToken(_ text: String) -> Bool {
        let body = text.utf8.drop { $0 != UInt8(ascii: "=") }
        let head = text.utf8.prefix { $0 != UInt8(ascii: "=") }
        return !head.isEmpty && text.utf8.count <= 8192 && body.allSatisfy { $0 == UInt8(ascii: "=") }
            && head.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x2F, 0x5F, 0x7E: true
                default: false
                }
            }
    }

    /// Whether a request to this address carries the token.
    func sendsToken(to address: HTTPAddress) -> Bool { token != nil && address.origin == home.origin }

    /// Sends a request and follows redirects, method and body unchanged (307 and 308, RFC 9110 section 15.4). A token
    /// goes to no other origin than the first, and nothing goes from HTTPS to HTTP.
    /// - Returns: the answer, and the address that it came from.
    func send(
        _ method: String, to address: HTTPAddress, headers: [String: String] = [:], body: String? = nil
    ) async throws(SignalingError) -> (answer: HTTPAnswer, from: HTTPAddress) {
        let began = ContinuousClock.now
        var address = address
        for _ in 0...Self.maximumRedirects {
            var all = headers
            all["User-Agent"] = "petrel"
            // No compression: an answer is small, and unpacking is one more thing that can be made to grow.
            all["Accept-Encoding"] = "identity"
            if let token, sendsToken(to: address) { all["Authorization"] = "Bearer \(token)" }
            let left = seconds - (ContinuousClock.now - began) / .seconds(1)
            guard left > 0 else { throw timedOut(address) }
            let answer: HTTPAnswer
            do {
                answer = try await HTTPExchange.send(
                    HTTPRequest(method: method, url: address.url, headers: all, body: body), seconds: left,
                    maximumBody: Self.maximumBody)
            } catch { throw sentence(error, address) }
            guard (300...399).contains(answer.status) else { return (answer, address) }
            address = try next(after: answer, from: address)
        }
        throw SignalingError(
            .redirect, "\(address.place) is the end of more than \(Self.maximumRedirects) redirects: is it a loop?")
    }

    func next(after answer: HTTPAnswer, from address: HTTPAddress) throws(SignalingError) -> HTTPAddress {
        let status = answer.status
        guard let location = answer.headers["location"], let next = address.resolve(location) else {
            throw SignalingError(
                .redirect, "\(address.place) redirects (\(status)) without saying where to", status: status)
        }
        guard status == 307 || status == 308 else {
            // 301 to 303 may turn a POST into a GET (RFC 9110 section 15.4.2), and RFC 9725 section 4.4 rules them out.
            throw SignalingError(
                .redirect,
                "\(address.place) redirects with \(status), which WHIP and WHEP do not allow; try \(next.place)",
                status: status)
        }
        guard next.isSecure || !address.isSecure else {
            throw SignalingError(
                .redirect, "\(address.place) redirects from HTTPS to plain HTTP (\(next.place)), which is not followed",
                status: status)
        }
        return next
    }

    private func timedOut(_ address: HTTPAddress) -> SignalingError {
        let rounded = (seconds * 10).rounded() / 10
        let shown = rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
        return SignalingError(.timedOut, "\(address.place) did not give a whole answer within \(shown) s")
    }

    private func sentence(_ failure: HTTPFailure, _ address: HTTPAddress) -> SignalingError {
        switch failure {
        case .noHost:
            SignalingError(
                .unreachable, "\(address.place) cannot be reached: no host of the name '\(address.host)' is found")
        case .refused:
            SignalingError(
                .unreachable, "\(address.place) cannot be reached: nobody answers there (is the server running?)")
        case .broken(let text): SignalingError(.unreachable, "\(address.place) cannot be reached: \(text)")
        case .untrusted(let text) where text.contains("wrong version number"):
            SignalingError(.untrusted, "\(address.place) speaks no TLS: is it http:// that you mean?")
        case .untrusted(let text):
            SignalingError(
                .untrusted,
                "\(address.place) cannot be trusted: \(text) (a certificate of your own becomes trusted when its authority is added to this system's)"
            )
        case .timedOut: timedOut(address)
        case .tooLarge:
            SignalingError(.badAnswer, "\(address.place) answers with more than \(Self.maximumBody / 1024) KiB")
        case .malformed(let text):
            SignalingError(.badAnswer, "\(address.place) gives no answer of HTTP that can be used: \(text)")
        case .cancelled: SignalingError(.cancelled, "cancelled")
        }
    }

    // MARK: Status codes

    /// What a status that is not the one hoped for means, in a sentence.
    func refusal(_ answer: HTTPAnswer, from address: HTTPAddress, _ kind: StreamKind) -> SignalingError {
        let (status, place) = (answer.status, address.place)
        let said = Self.detail(answer).map { " (it says '\($0)')" } ?? ""
        let retry = answer.headers["retry-after"].flatMap { Int($0) }.flatMap { (0...86_400).contains($0) ? $0 : nil }
        func error(_ reason: SignalingError.Reason, _ text: String) -> SignalingError {
            SignalingError(reason, text + said, status: status, retryAfter: retry)
        }
        switch status {
        case 401 where token == nil: return error(.unauthorized, "\(place) wants a token (401), and none was given")
        case 401 where !sendsToken(to: address):
            return error(
                .unauthorized,
                "\(place) wants a token (401); it was not sent there, because it is for \(home.origin) only: give this address"
            )
        case 401: return error(.unauthorized, "\(place) does not accept the token (401)")
        case 403: return error(.forbidden, "\(place) may not be used with this token (403)")
        case 404, 410:
            let hint = kind == .publish ? "is the name right?" : "is the name right, and is somebody sending?"
            return error(.notFound, "there is nothing at \(place) (\(status)); \(hint)")
        case 405, 501: return error(.refused, "\(place) is no \(kind.endpoint) (\(status))")
        case 406: return error(.refused, "\(place) does not accept what was offered (406)")
        case 409:
            let hint = kind == .publish ? "somebody else publishes there already" : "nobody sends there yet"
            return error(.conflict, "\(place) is not free (409); perhaps \(hint)")
        case 413: return error(.refused, "\(place) finds the session description too large (413)")
        case 415: return error(.refused, "\(place) does not take session descriptions (415): is it a \(kind.endpoint)?")
        case 422, 400: return error(.refused, "\(place) cannot use what was offered (\(status))")
        case 429, 500...599:
            let when = retry.map { "; try again in \($0) s" } ?? ""
            return error(.unavailable, "\(place) cannot take the stream now (\(status))\(when)")
        default: return error(.refused, "\(place) answers \(status), which no \(kind.endpoint) should")
        }
    }

    /// What the server says about its error: a problem detail (RFC 9457) or plain text.
    private static func detail(_ answer: HTTPAnswer) -> String? {
        var text: String?
        switch answer.mediaType {
        case "text/plain": text = answer.text
        case "application/problem+json", "application/json":
            let object = try? JSONSerialization.jsonObject(with: Data(answer.body.prefix(16 * 1024))) as? [String: Any]
            text = ["detail", "title", "message", "error"].lazy.compactMap { object?[$0] as? String }.first
        default: break
        }
        guard let text else { return nil }
        let line = SignalingError.printable(text, maximum: 200).trimmingCharacters(in: .whitespaces)
        return line.isEmpty ? nil : line
    }
}

/// Which way media goes.
enum StreamKind: Sendable {
    /// To the server, by WHIP (RFC 9725).
    case publish
    /// From the server, by WHEP (draft-ietf-wish-whep).
    case play

    var endpoint: String { self == .publish ? "WHIP endpoint" : "WHEP endpoint" }
}
