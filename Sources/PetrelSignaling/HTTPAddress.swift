internal import Foundation

/// An address of http or https, checked.
struct HTTPAddress: Hashable, Sendable {
    let url: URL
    /// Scheme, host and port: what a token is bound to (RFC 6454 section 4).
    let origin: String
    let isSecure: Bool
    let host: String

    /// Octets of an address; session addresses of known servers have less than 300.
    static let maximumLength = 4096

    /// - Throws: ``SignalingError/Reason/badAddress`` with what is wrong.
    init(_ text: String) throws(SignalingError) {
        let shown = SignalingError.printable(String(text.prefix(200)), maximum: 200)
        guard text.utf8.count <= Self.maximumLength else {
            throw SignalingError(.badAddress, "an address of \(text.utf8.count) characters is too long")
        }
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }), let url = URL(string: text),
            let scheme = url.scheme?.lowercased()
        else {
            throw SignalingError(.badAddress, "'\(shown)' is no address: it has to look like https://host/whip/name")
        }
        guard let address = Self(url) else {
            guard scheme == "http" || scheme == "https" else {
                throw SignalingError(
                    .badAddress, "'\(shown)' is no address of http or https: it has to look like https://host/whip/name"
                )
            }
            // What stands before the @ may be a password: it is not shown.
            guard url.user == nil, url.password == nil else {
                throw SignalingError(
                    .badAddress, "the address holds a user name or password; leave it out and use a token")
            }
            throw SignalingError(.badAddress, "'\(shown)' names no host: it has to look like https://host/whip/name")
        }
        self = address
    }

    /// Nil for what is no address of http or https with a host and without a user.
    private init?(_ url: URL) {
        guard let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https",
            let host = url.host(percentEncoded: true)?.lowercased(), !host.isEmpty, url.user == nil,
            url.password == nil,
            var parts = URLComponents(url: url, resolvingAgainstBaseURL: true)
        else { return nil }
        parts.fragment = nil
        guard let plain = parts.url else { return nil }
        isSecure = scheme == "https"
        self.host = host
        origin = "\(scheme)://\(host):\(url.port ?? (scheme == "https" ? 443 : 80))"
        self.url = plain
    }

    /// The address that a Location means, seen from here (RFC 9110 section 10.2.2); nil where it means none.
    func resolve(_ location: String) -> HTTPAddress? {
        guard location.utf8.count <= Self.maximumLength, !location.isEmpty,
            location.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F }),
            let url = URL(string: location, relativeTo: url)
        else { return nil }
        return HTTPAddress(url.absoluteURL)
    }

    /// The address for a person, without its query, in which secrets may stand.
    var place: String {
        guard var parts = URLComponents(url: url, resolvingAgainstBaseURL: true) else { return origin }
        parts.query = nil
        return SignalingError.printable(parts.string ?? origin, maximum: 200)
    }
}
