public import PetrelCore

/// What a receiver lacks of one stream, in the terms of the sliding-window repair code: all the sender must know to
/// choose the next repair packets.
public struct RepairState: Hashable, Sendable {
    /// The most packets a report tells about: the most that the decoder remembers.
    public static let maximumSpan = 256

    /// The newest packet of the stream known to exist.
    public var highest: UInt16
    /// The first packet that is wanted and not known; one after ``highest`` where there is none.
    public var frontier: UInt16
    /// The newest repair packet that came, and how many did, both modulo 2^16.
    public var highestRepair: UInt16
    public var repairReceived: UInt16
    private var words = InlineArray<8, UInt32>(repeating: 0)
    /// Words of ``words`` in use.
    fileprivate var count = 0

    public init(highest: UInt16, frontier: UInt16, highestRepair: UInt16, repairReceived: UInt16) {
        self.highest = highest
        self.frontier = frontier
        self.highestRepair = highestRepair
        self.repairReceived = repairReceived
    }

    /// Notes that the packet `index` places after ``frontier`` needs one more repair packet.
    public mutating func setNeeded(_ index: Int) {
        guard index >= 0, index < Self.maximumSpan else { return }
        words[index / 32] |= 1 << UInt32(31 - index % 32)
        count = max(count, index / 32 + 1)
    }

    /// Whether the packet `index` places after ``frontier`` needs one more repair packet.
    public func isNeeded(_ index: Int) -> Bool {
        guard index >= 0, index < count * 32 else { return false }
        return words[index / 32] & (1 << UInt32(31 - index % 32)) != 0
    }

    /// How many more repair packets are needed for all packets up to `index` places after ``frontier``.
    public func deficit(through index: Int) -> Int {
        guard index >= 0 else { return 0 }
        var sum = 0
        for word in 0..<count where word * 32 <= index {
            let inside = index - word * 32 + 1
            let mask = inside >= 32 ? UInt32.max : ~(UInt32.max >> UInt32(inside))
            sum += (words[word] & mask).nonzeroBitCount
        }
        return sum
    }

    /// How many more repair packets are needed in all.
    public var deficit: Int { deficit(through: Self.maximumSpan - 1) }

    fileprivate func word(_ index: Int) -> UInt32 { words[index] }
    fileprivate mutating func setWord(_ index: Int, _ value: UInt32) {
        words[index] = value
        count = max(count, index + 1)
    }

    public static func == (left: RepairState, right: RepairState) -> Bool {
        left.highest == right.highest && left.frontier == right.frontier && left.highestRepair == right.highestRepair
            && left.repairReceived == right.repairReceived
            && (0..<8).allSatisfy { left.words[$0] == right.words[$0] }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(highest)
        hasher.combine(frontier)
        for index in 0..<8 { hasher.combine(words[index]) }
    }
}

/// What a receiver tells the sender of one stream about repair: an RTCP APP packet (RFC 3550 section 6.7) of the name
/// "PTRL" and subtype 1, agreed on in SDP by `a=rtcp-fb:<pt> x-swfb`.
///
/// The data: the media source (32 bits); highest, frontier, highest repair packet and count of repair packets (16 bits
/// each); the picture id of the newest frame handed to the decoder (16 bits, of which the lower 15 are the id and the
/// highest says that there is one); 16 bits that say how many words follow; 32 bits of which bit i, from the highest,
/// says that the frame i + 1 before it was handed over too; then one bit, from the highest, for each packet from the
/// frontier on that needs one more repair packet.
public struct RepairFeedback: Hashable, Sendable {
    /// "PTRL".
    public static let name: UInt32 = 0x5054_524C
    public static let subtype: UInt8 = 1
    static let fixedLength = 20

    /// The stream it speaks of, and what is missing of it.
    public var mediaSSRC: UInt32
    public var state: RepairState
    /// The picture id (RFC 7741) of the newest frame handed to the decoder; nil before the first.
    public var newestPicture: UInt16?
    /// Bit i, counted from the highest: the picture i + 1 before ``newestPicture`` was handed to the decoder too.
    public var earlierPictures: UInt32

    public init(mediaSSRC: UInt32, state: RepairState, newestPicture: UInt16? = nil, earlierPictures: UInt32 = 0) {
        self.mediaSSRC = mediaSSRC
        self.state = state
        self.newestPicture = newestPicture
        self.earlierPictures = earlierPictures
    }

    /// ``earlierPictures`` with the bits counted from the lowest, as ``FrameAcknowledgement`` has them.
    public var earlier: UInt64 {
        var bits: UInt64 = 0
        for index in 0..<32 where earlierPictures & (1 << UInt32(31 - index)) != 0 { bits |= 1 << UInt64(index) }
        return bits
    }

    /// The packet to be sent.
    public func application(from ssrc: UInt32) -> RTCPApplication {
        var data: [UInt8] = []
        data.reserveCapacity(Self.fixedLength + state.count * 4)
        func put16(_ value: UInt16) {
            data.append(UInt8(truncatingIfNeeded: value >> 8))
            data.append(UInt8(truncatingIfNeeded: value))
        }
        func put32(_ value: UInt32) {
            put16(UInt16(truncatingIfNeeded: value >> 16))
            put16(UInt16(truncatingIfNeeded: value))
        }
        put32(mediaSSRC)
        for value in [state.highest, state.frontier, state.highestRepair, state.repairReceived] { put16(value) }
        put16(newestPicture.map { 0x8000 | $0 } ?? 0)
        put16(UInt16(truncatingIfNeeded: state.count))
        put32(earlierPictures)
        for index in 0..<state.count { put32(state.word(index)) }
        return RTCPApplication(subtype: Self.subtype, ssrc: ssrc, name: Self.name, data: data)
    }

    /// Reads one.
    /// - Returns: nil for an application packet of another name or subtype.
    /// - Throws: `rtcpMalformed` where its length is not what it says, or more is told than can be.
    public init?(_ application: RTCPApplication) throws(DropReason) {
        guard application.name == Self.name, application.subtype == Self.subtype else { return nil }
        let data = application.data
        guard data.count >= Self.fixedLength else { throw .rtcpMalformed }
        func get16(_ offset: Int) -> UInt16 { UInt16(data[offset]) << 8 | UInt16(data[offset + 1]) }
        func get32(_ offset: Int) -> UInt32 { UInt32(get16(offset)) << 16 | UInt32(get16(offset + 2)) }
        let count = Int(get16(14))
        guard count <= RepairState.maximumSpan / 32, data.count == Self.fixedLength + count * 4 else {
            throw .rtcpMalformed
        }
        mediaSSRC = get32(0)
        state = RepairState(
            highest: get16(4), frontier: get16(6), highestRepair: get16(8), repairReceived: get16(10))
        for index in 0..<count { state.setWord(index, get32(Self.fixedLength + index * 4)) }
        let picture = get16(12)
        newestPicture = picture & 0x8000 == 0 ? nil : picture & 0x7FFF
        earlierPictures = get32(16)
    }
}
