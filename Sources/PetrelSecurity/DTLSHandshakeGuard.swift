internal import PetrelCore

/// Decides which handshake fragments may reach OpenSSL before the peer is authenticated, so that a stranger can make it
/// keep only a little.
struct DTLSHandshakeGuard {
    /// The longest handshake message in octets. A certificate chain of browsers and servers has 300 to 4,000; OpenSSL
    /// reserves what the first fragment announces.
    static let maximumMessage = 16_384
    /// The octets announced by all messages that are not complete: with OpenSSL's bit masks below 64 KiB.
    static let maximumPending = 49_152
    /// How far ahead of the next message fragments are taken: a flight has at most five messages before its
    /// ChangeCipherSpec.
    static let window = 8

    enum Decision: Equatable {
        case take
        /// Part of a message that was taken before: the peer repeats its flight.
        case isRepeat
        /// The first message is announced in two ways; the newer one may be the true one.
        case startAgain
        case drop(DropReason)
    }

    private struct Announcement {
        var sequence: Int
        var type: UInt8
        var length: Int
    }

    private let role: DTLSRole
    private var announcements: [Announcement] = []

    init(role: DTLSRole) { self.role = role }

    /// The octets announced and not yet complete.
    var pending: Int { announcements.reduce(0) { $0 + $1.length } }

    /// Judges a record's worth of fragments.
    /// - Parameter next: the number of messages taken so far, which is the sequence number of the next one.
    mutating func judge(_ body: UnsafeRawBufferPointer, next: Int) -> Decision {
        announcements.removeAll { $0.sequence < next }
        var fresh: [Announcement] = []
        var start = 0
        var hasNew = false
        while start < body.count {
            guard let fragment = DTLSFragment(body, at: start) else { return .drop(.dtlsMalformed) }
            start += DTLSFragment.headerLength + fragment.length
            guard fragment.messageLength <= Self.maximumMessage else { return .drop(.dtlsTooMuchBuffered) }
            guard isExpected(fragment.type, sequence: fragment.messageSequence) else { return .drop(.dtlsRejected) }
            if fragment.messageSequence < next { continue }
            hasNew = true
            // Before the ClientHello is whole, a server waits for nothing else.
            let last = role == .server && next == 0 ? 0 : next + Self.window - 1
            guard fragment.messageSequence <= last else { return .drop(.dtlsRejected) }
            let known = (announcements + fresh).first { $0.sequence == fragment.messageSequence }
            if let known {
                guard known.type == fragment.type, known.length == fragment.messageLength else {
                    return role == .server && next == 0 ? .startAgain : .drop(.dtlsRejected)
                }
            } else {
                if role == .server, next == 0, fragment.offset == 0,
                    !Self.looksLikeClientHello(body, at: start - fragment.length, fragment)
                {
                    return .drop(.dtlsMalformed)
                }
                fresh.append(
                    Announcement(
                        sequence: fragment.messageSequence, type: fragment.type, length: fragment.messageLength))
            }
        }
        guard pending + fresh.reduce(0, { $0 + $1.length }) <= Self.maximumPending else {
            return .drop(.dtlsTooMuchBuffered)
        }
        announcements += fresh
        return hasNew ? .take : .isRepeat
    }

    /// The messages the other side can send in the clear (RFC 5246 section 7.4, RFC 6347 section 4.3.2). A HelloRequest
    /// is none of them: renegotiation is refused (RFC 8827 section 6.5).
    private func isExpected(_ type: UInt8, sequence: Int) -> Bool {
        switch (role, type) {
        case (.server, 1): sequence == 0
        case (.server, 11), (.server, 15), (.server, 16): sequence > 0
        case (.client, 2), (.client, 3), (.client, 4), (.client, 11), (.client, 12), (.client, 13), (.client, 14),
            (.client, 22):
            true
        default: false
        }
    }

    /// The cheap part of what makes a ClientHello: a DTLS version, and room for everything it must have (RFC 6347
    /// section 4.2.1): version, random, session id, cookie, one cipher suite, one compression method.
    private static func looksLikeClientHello(
        _ body: UnsafeRawBufferPointer, at start: Int, _ fragment: DTLSFragment
    ) -> Bool {
        guard fragment.messageLength >= 2 + 32 + 1 + 1 + 4 + 2 else { return false }
        if fragment.length >= 1, body[start] != 0xFE { return false }
        if fragment.length >= 35, body[start + 34] > 32 { return false }
        return true
    }
}
