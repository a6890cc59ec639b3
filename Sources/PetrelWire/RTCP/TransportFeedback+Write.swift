extension TransportFeedback {
    /// Appends the body behind the common header, with zeros up to a multiple of four.
    func writeBody(into bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append32(senderSSRC)
        bytes.append32(mediaSSRC)
        bytes.append16(baseSequenceNumber)
        bytes.append16(UInt16(truncatingIfNeeded: statuses.count))
        bytes.append24(UInt32(bitPattern: referenceTime) & 0xFF_FFFF)
        bytes.append(feedbackPacketCount)

        var index = 0
        while index < statuses.count { index += appendChunk(at: index, into: &bytes) }
        for case .received(let delta) in statuses {
            if let small = UInt8(exactly: delta) {
                bytes.append(small)
            } else {
                bytes.append16(UInt16(bitPattern: delta))
            }
        }
        bytes.alignTo4(from: start)
    }

    /// Writes the chunk that covers most statuses from `index`, and answers how many those are: a run where it covers
    /// at least as many as a vector would, else 14 symbols of one bit while no delta is large, else 7 of two bits.
    private func appendChunk(at index: Int, into bytes: inout [UInt8]) -> Int {
        let first = statuses[index].symbol
        let rest = statuses.count - index
        var run = 1
        while run < min(rest, 0x1FFF), statuses[index + run].symbol == first { run += 1 }
        let vector = min(14, rest)
        let isNarrow = statuses[index..<(index + vector)].allSatisfy { $0.symbol != Self.symbolLarge }
        if run >= (isNarrow ? vector : min(7, rest)) {
            bytes.append16(first << 13 | UInt16(truncatingIfNeeded: run))
            return run
        }
        if isNarrow {
            var chunk: UInt16 = 0x8000
            for offset in 0..<vector {
                chunk |= statuses[index + offset].symbol << UInt16(truncatingIfNeeded: 13 - offset)
            }
            bytes.append16(chunk)
            return vector
        }
        let count = min(7, rest)
        var chunk: UInt16 = 0xC000
        for offset in 0..<count {
            chunk |= statuses[index + offset].symbol << UInt16(truncatingIfNeeded: 12 - 2 * offset)
        }
        bytes.append16(chunk)
        return count
    }
}

extension TransportFeedback.Status {
    /// The symbol of two bits (section 3.1.1), which is also the number of bytes of the delta.
    fileprivate var symbol: UInt16 {
        switch self {
        case .notReceived: TransportFeedback.symbolNotReceived
        case .received(let delta):
            UInt8(exactly: delta) == nil ? TransportFeedback.symbolLarge : TransportFeedback.symbolSmall
        }
    }
}
