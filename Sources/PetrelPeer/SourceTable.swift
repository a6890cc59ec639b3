internal import PetrelCore
internal import PetrelWire

/// Which receiver a source (SSRC) belongs to. Only authenticated packets make entries.
struct SourceTable {
    enum Role: Hashable {
        /// Media of the receiver with this index.
        case media(Int)
        /// Retransmissions for the receiver with this index (RFC 4588).
        case repair(Int)
        /// Packets of the repair code for the receiver with this index.
        case code(Int)
    }

    /// Sources bound at once. A section has one, two with retransmissions; beyond this the oldest silent ones go.
    static let limit = 64

    private var entries: [(ssrc: UInt32, role: Role)] = []

    init() { entries.reserveCapacity(Self.limit) }

    subscript(ssrc: UInt32) -> Role? {
        for entry in entries where entry.ssrc == ssrc { return entry.role }
        return nil
    }

    mutating func bind(_ ssrc: UInt32, to role: Role) -> Bool {
        for index in entries.indices where entries[index].ssrc == ssrc {
            entries[index].role = role
            return true
        }
        guard entries.count < Self.limit else { return false }
        entries.append((ssrc, role))
        return true
    }

    mutating func removeAll(receiver: Int) {
        entries.removeAll {
            $0.role == .media(receiver) || $0.role == .repair(receiver) || $0.role == .code(receiver)
        }
    }
}

/// Sources that have sent feedback and no media: an endpoint that only receives reports under one of its own.
///
/// SRTCP has a replay window for each source, in libsrtp2, for the life of the keys.
struct ControlSources {
    /// Sources that are believed to speak for nobody but themselves: one for an endpoint that only receives, and some for
    /// the streams that are announced later. State in libsrtp2, and the time to find it with each packet, grow with it.
    static let limit = 16

    private var known: [UInt32] = []

    /// Whether feedback from this source may be used; it is remembered then.
    mutating func admit(_ ssrc: UInt32, among media: SourceTable) -> Bool {
        if media[ssrc] != nil || known.contains(ssrc) { return true }
        // Those whose media has come since need no place of their own.
        if known.count >= Self.limit { known.removeAll { media[$0] != nil } }
        guard known.count < Self.limit else { return false }
        known.append(ssrc)
        return true
    }

    func contains(_ ssrc: UInt32) -> Bool { known.contains(ssrc) }
}

/// What each payload type means in packets that come in.
struct PayloadTable {
    struct Entry: Hashable {
        /// Index of the m= section.
        var section: Int
        /// For retransmissions, the payload type of the original (apt).
        var original: UInt8?
        /// A packet of the repair code.
        var isRepairCode = false
    }

    private var entries: [Entry?] = Array(repeating: nil, count: 128)
    /// The media sections by their mid, in order.
    private(set) var mids: [(token: ShortToken, section: Int)] = []

    subscript(payloadType: UInt8) -> Entry? {
        get { entries[Int(payloadType & 0x7F)] }
        set { entries[Int(payloadType & 0x7F)] = newValue }
    }

    mutating func add(mid: ShortToken, section: Int) { mids.append((mid, section)) }

    func section(mid: ShortToken) -> Int? {
        for entry in mids where entry.token == mid { return entry.section }
        return nil
    }
}
