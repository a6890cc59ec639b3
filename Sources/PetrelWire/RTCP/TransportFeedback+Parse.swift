internal import PetrelCore

extension TransportFeedback {
    /// The bytes in front of the first chunk: both sources, base, count, reference time and packet count.
    static let headLength = 16
    static let symbolNotReceived: UInt16 = 0
    static let symbolSmall: UInt16 = 1
    static let symbolLarge: UInt16 = 2

    /// Reads the body behind the common header. Zeros behind the last delta are padding.
    /// - Parameters:
    ///   - budget: how many statuses the rest of the compound may still claim.
    /// - Throws: `rtcpMalformed` for missing chunks or deltas and for the reserved symbol; `tooMany`.
    init(body: RawSpan, budget: inout Int) throws(DropReason) {
        guard body.byteCount >= Self.headLength else { throw .rtcpMalformed }
        let count = Int(body.wire16(10))
        guard count <= budget else { throw .tooMany }
        budget &-= count

        // First where the chunks end and how many bytes of deltas they ask for, so that nothing is allocated for a
        // count that the packet does not back up.
        var offset = Self.headLength
        var (covered, deltaBytes) = (0, 0)
        while covered < count {
            guard offset &+ 2 <= body.byteCount else { throw .rtcpMalformed }
            let chunk = body.wire16(offset)
            offset &+= 2
            let length = min(Self.symbolCount(chunk), count &- covered)
            if chunk & 0x8000 == 0 {
                let symbol = (chunk >> 13) & 3
                guard symbol != 3 else { throw .rtcpMalformed }
                deltaBytes &+= length &* Int(symbol)
            } else {
                for index in 0..<length {
                    let symbol = Self.symbol(chunk, index)
                    guard symbol != 3 else { throw .rtcpMalformed }
                    deltaBytes &+= Int(symbol)
                }
            }
            covered &+= length
        }
        guard deltaBytes <= body.byteCount &- offset else { throw .rtcpMalformed }

        var statuses: [Status] = []
        statuses.reserveCapacity(count)
        var delta = offset
        offset = Self.headLength
        while statuses.count < count {
            let chunk = body.wire16(offset)
            offset &+= 2
            for index in 0..<min(Self.symbolCount(chunk), count &- statuses.count) {
                switch Self.symbol(chunk, index) {
                case Self.symbolSmall:
                    statuses.append(.received(delta: Int16(body.wire8(delta))))
                    delta &+= 1
                case Self.symbolLarge:
                    statuses.append(.received(delta: Int16(bitPattern: body.wire16(delta))))
                    delta &+= 2
                default: statuses.append(.notReceived)
                }
            }
            // A run of length zero is legal and says nothing; the bytes of the packet bound how many there can be.
        }
        let word = body.wire32(12)
        self.init(
            senderSSRC: body.wire32(0), mediaSSRC: body.wire32(4), baseSequenceNumber: body.wire16(8),
            referenceTime: Int32(bitPattern: word) >> 8, feedbackPacketCount: UInt8(truncatingIfNeeded: word),
            statuses: statuses)
    }

    /// How many symbols a chunk has (section 3.1.3 and 3.1.4).
    private static func symbolCount(_ chunk: UInt16) -> Int {
        if chunk & 0x8000 == 0 { return Int(chunk & 0x1FFF) }
        return chunk & 0x4000 == 0 ? 14 : 7
    }

    /// Symbol `index` of a chunk; its value is also the number of bytes of its delta.
    private static func symbol(_ chunk: UInt16, _ index: Int) -> UInt16 {
        if chunk & 0x8000 == 0 { return (chunk >> 13) & 3 }
        if chunk & 0x4000 == 0 { return (chunk >> UInt16(truncatingIfNeeded: 13 &- index)) & 1 }
        return (chunk >> UInt16(truncatingIfNeeded: 12 &- 2 &* index)) & 3
    }
}
