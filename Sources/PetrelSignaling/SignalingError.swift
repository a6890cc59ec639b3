/// Why a stream could not be published or played over HTTP, in one sentence that says what and where, and what to do.
///
/// The text never holds a token, a query, or what a server sent without control characters taken out.
public struct SignalingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What can go wrong.
    public enum Reason: String, CaseIterable, Hashable, Sendable {
        /// The address is none of http or https.
        case badAddress
        /// The token cannot stand in a header (RFC 6750 section 2.1).
        case badToken
        /// No host of that name, nobody listens, or the connection broke.
        case unreachable
        /// HTTPS with a certificate that this system does not trust, or no TLS at all.
        case untrusted
        /// No whole answer in time.
        case timedOut
        /// A redirect that is not followed: 301 to 303, too many, to plain HTTP, or to nowhere.
        case redirect
        /// 401: a token is missing or wrong.
        case unauthorized
        /// 403.
        case forbidden
        /// 404 or 410.
        case notFound
        /// 409: somebody publishes there already, or nobody does yet.
        case conflict
        /// Another 4xx: the server does not take what was sent.
        case refused
        /// 429 or 5xx: the server cannot now; ``SignalingError/retryAfter`` may say when.
        case unavailable
        /// What came is no answer that HTTP, WHIP, WHEP or SDP allow, or is too large.
        case badAnswer
        /// The server lacks what was asked for (PATCH, RFC 9725 section 4.3).
        case unsupported
        /// The server has ended the stream in good order.
        case endedByServer
        /// The stream was lost: no way through the network, or the server is gone.
        case lost
        /// The call could not do its part.
        case call
        /// The task was cancelled.
        case cancelled
    }

    /// What went wrong.
    public let reason: Reason
    /// The status code of the answer, where there was one.
    public let status: Int?
    /// Seconds after which the server asks to be asked again (Retry-After, RFC 9110 section 10.2.3).
    public let retryAfter: Int?
    /// The sentence.
    public let description: String

    init(_ reason: Reason, _ description: String, status: Int? = nil, retryAfter: Int? = nil) {
        (self.reason, self.status, self.retryAfter) = (reason, status, retryAfter)
        self.description = Self.printable(description, maximum: Self.maximumLength)
    }

    /// Characters of a sentence: a few lines of a terminal.
    static let maximumLength = 600

    /// The text on one line, without control characters, cut.
    static func printable(_ text: String, maximum: Int) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(maximum) {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            // Marks that turn the direction of text could make a terminal show something else than was said.
            let isDirection =
                (0x200E...0x200F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
                || (0x2066...0x2069).contains(scalar.value)
            result.append(isControl || isDirection ? " " : scalar)
        }
        return String(result)
    }
}
