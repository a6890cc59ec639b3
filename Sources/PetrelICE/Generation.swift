internal import PetrelCore

/// One pair of credentials on each side, and what has been settled under them. A restart begins a new one
/// (RFC 8445 section 9).
struct Generation: Sendable {
    let number: Int
    let local: ICECredentials
    var localUfrag: [UInt8]
    var localKey: [UInt8]
    var remote: ICECredentials?
    var remoteKey: [UInt8] = []
    /// USERNAME of our checks: the peer's fragment, a colon, ours (RFC 8445 section 7.2.2).
    var username: [UInt8] = []
    var remoteIsLite = false
    var begunAt: Instant
    var endOfRemoteCandidates = false
    var firstValidAt: Instant?
    /// The pair that this side, controlling, has chosen, and whether the peer has answered to USE-CANDIDATE.
    var nominated: Int?
    var nominatedAt: Instant?
    var nominationConfirmed = false
    /// The pair that both sides have settled on.
    var selected: Int?
    var selectedAt: Instant?

    init(number: Int, local: ICECredentials, now: Instant) {
        self.number = number
        self.local = local
        localUfrag = Array(local.ufrag.utf8)
        localKey = Array(local.password.utf8)
        begunAt = now
    }

    mutating func setRemote(_ credentials: ICECredentials, isLite: Bool, now: Instant) {
        remote = credentials
        remoteKey = Array(credentials.password.utf8)
        username = Array(credentials.ufrag.utf8) + [0x3A] + localUfrag
        remoteIsLite = isLite
        begunAt = now
    }
}
