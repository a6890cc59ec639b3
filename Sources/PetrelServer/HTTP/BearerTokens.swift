internal import HTTPTypes

/// Who may use the server (RFC 6750).
struct BearerTokens: Sendable {
    /// Who asks: the place of the token in the list; nil where no token is asked for.
    typealias Holder = Int?

    private let tokens: [[UInt8]]

    init(_ tokens: [String]) { self.tokens = tokens.map { Array($0.utf8) } }

    var isEmpty: Bool { tokens.isEmpty }

    /// - Throws: ``Refusal`` 401 where a token is asked for and none or a wrong one came. In the header field only: a
    ///   token in an address ends in logs and histories.
    func holder(of headers: HTTPFields) throws(Refusal) -> Holder {
        guard !tokens.isEmpty else { return nil }
        guard let field = headers[.authorization] else {
            throw Refusal(
                .unauthorized, "this server asks for a bearer token",
                [.wwwAuthenticate: "Bearer realm=\"petrel\""])
        }
        let parts = field.utf8.split(separator: 0x20, maxSplits: 1)
        var found: Int?
        if parts.count == 2, String(decoding: parts[0], as: UTF8.self).lowercased() == "bearer" {
            let given = Array(parts[1])
            for (index, token) in tokens.enumerated() where Self.areEqual(given, token) { found = index }
        }
        guard let found else {
            throw Refusal(
                .unauthorized, "the bearer token is not one of this server's",
                [.wwwAuthenticate: "Bearer realm=\"petrel\", error=\"invalid_token\""])
        }
        return found
    }

    /// - Throws: ``Refusal`` 403 where somebody else's token made the resource.
    static func check(_ holder: Holder, owns owner: Holder) throws(Refusal) {
        guard holder == owner else {
            throw Refusal(
                .forbidden, "another token made this resource",
                [.wwwAuthenticate: "Bearer realm=\"petrel\", error=\"insufficient_scope\""])
        }
    }

    /// Takes as long wherever the difference lies.
    static func areEqual(_ given: [UInt8], _ token: [UInt8]) -> Bool {
        var difference = given.count ^ token.count
        for (index, byte) in token.enumerated() {
            difference |= Int(byte ^ (index < given.count ? given[index] : ~byte))
        }
        return difference == 0
    }
}
