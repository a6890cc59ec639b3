internal import PetrelCore

// The body of a packet is what lies between its common header and its padding.

extension RTCPReportBlock {
    /// Reads `count` blocks from `offset`; what follows them is a profile's extension and is ignored.
    fileprivate static func blocks(
        _ body: RawSpan, from offset: Int, count: Int
    ) throws(DropReason) -> [RTCPReportBlock] {
        guard offset &+ count &* length <= body.byteCount else { throw .rtcpMalformed }
        var blocks: [RTCPReportBlock] = []
        blocks.reserveCapacity(count)
        for index in 0..<count { blocks.append(RTCPReportBlock(body, offset &+ index &* length)) }
        return blocks
    }

    private init(_ body: RawSpan, _ offset: Int) {
        let lost = body.wire32(offset &+ 4)
        self.init(
            ssrc: body.wire32(offset), fractionLost: UInt8(truncatingIfNeeded: lost >> 24),
            cumulativeLost: Int32(bitPattern: lost << 8) >> 8,
            extendedHighestSequenceNumber: body.wire32(offset &+ 8), jitter: body.wire32(offset &+ 12),
            lastSenderReport: body.wire32(offset &+ 16), delaySinceLastSenderReport: body.wire32(offset &+ 20))
    }
}

extension RTCPSenderReport {
    init(body: RawSpan, count: Int) throws(DropReason) {
        guard body.byteCount >= 24 else { throw .rtcpMalformed }
        self.init(
            ssrc: body.wire32(0), ntpTime: NTPTime(bits: body.wire64(4)), rtpTimestamp: body.wire32(12),
            packetCount: body.wire32(16), octetCount: body.wire32(20),
            reports: try RTCPReportBlock.blocks(body, from: 24, count: count))
    }
}

extension RTCPReceiverReport {
    init(body: RawSpan, count: Int) throws(DropReason) {
        guard body.byteCount >= 4 else { throw .rtcpMalformed }
        self.init(ssrc: body.wire32(0), reports: try RTCPReportBlock.blocks(body, from: 4, count: count))
    }
}

extension RTCPSourceDescription {
    /// A chunk is a source, items, at least one zero byte, and zeros up to a multiple of four.
    init(body: RawSpan, count: Int) throws(DropReason) {
        var chunks: [Chunk] = []
        chunks.reserveCapacity(count)
        var offset = 0
        for _ in 0..<count {
            guard offset &+ 4 <= body.byteCount else { throw .rtcpMalformed }
            var chunk = Chunk(ssrc: body.wire32(offset))
            offset &+= 4
            while true {
                guard offset < body.byteCount else { throw .rtcpMalformed }
                let item = body.wire8(offset)
                offset &+= 1
                if item == Self.itemEnd { break }
                guard offset < body.byteCount else { throw .rtcpMalformed }
                let length = Int(body.wire8(offset))
                offset &+= 1
                guard length <= body.byteCount &- offset else { throw .rtcpMalformed }
                let text = offset..<(offset &+ length)
                if item == Self.itemCNAME { chunk.cname = body.wireText(text) }
                if item == Self.itemMID { chunk.mid = body.wireText(text) }
                offset &+= length
            }
            offset = (offset &+ 3) & ~3
            guard offset <= body.byteCount else { throw .rtcpMalformed }
            chunks.append(chunk)
        }
        self.init(chunks: chunks)
    }
}

extension RTCPBye {
    init(body: RawSpan, count: Int) throws(DropReason) {
        var offset = count &* 4
        guard offset <= body.byteCount else { throw .rtcpMalformed }
        var sources: [UInt32] = []
        sources.reserveCapacity(count)
        for index in 0..<count { sources.append(body.wire32(index &* 4)) }
        self.init(sources: sources)
        guard offset < body.byteCount else { return }
        let length = Int(body.wire8(offset))
        offset &+= 1
        guard length <= body.byteCount &- offset else { throw .rtcpMalformed }
        reason = body.wireText(offset..<(offset &+ length))
    }
}

extension RTCPApplication {
    init(body: RawSpan, subtype: UInt8) throws(DropReason) {
        guard body.byteCount >= 8 else { throw .rtcpMalformed }
        self.init(
            subtype: subtype, ssrc: body.wire32(0), name: body.wire32(4), data: body.wireArray(8..<body.byteCount))
    }
}

extension RTCPNack {
    init(body: RawSpan) throws(DropReason) {
        // At least one entry of a packet id and the bits of the 16 behind it (RFC 4585 section 6.2.1).
        guard body.byteCount >= 12, body.byteCount & 3 == 0 else { throw .rtcpMalformed }
        var numbers: [UInt16] = []
        var offset = 8
        parsing: while offset < body.byteCount {
            let first = body.wire16(offset)
            var bits = UInt32(body.wire16(offset &+ 2)) << 1 | 1
            offset &+= 4
            while bits != 0 {
                guard numbers.count < Self.maximumSequenceNumbers else { break parsing }
                numbers.append(first &+ UInt16(truncatingIfNeeded: bits.trailingZeroBitCount))
                bits &= bits &- 1
            }
        }
        self.init(senderSSRC: body.wire32(0), mediaSSRC: body.wire32(4), sequenceNumbers: numbers)
    }
}

extension RTCPPictureLoss {
    init(body: RawSpan) throws(DropReason) {
        guard body.byteCount >= 8 else { throw .rtcpMalformed }
        self.init(senderSSRC: body.wire32(0), mediaSSRC: body.wire32(4))
    }
}

extension RTCPFullIntraRequest {
    /// The media source of the head is not used (RFC 5104 section 4.3.1.2); the sources asked are in the entries.
    init(body: RawSpan) throws(DropReason) {
        guard body.byteCount >= 16, body.byteCount & 7 == 0 else { throw .rtcpMalformed }
        var entries: [Entry] = []
        entries.reserveCapacity(body.byteCount / 8 &- 1)
        var offset = 8
        while offset < body.byteCount {
            entries.append(Entry(ssrc: body.wire32(offset), sequenceNumber: body.wire8(offset &+ 4)))
            offset &+= 8
        }
        self.init(senderSSRC: body.wire32(0), entries: entries)
    }
}

extension RTCPReceiverEstimate {
    init(body: RawSpan) throws(DropReason) {
        guard body.byteCount >= 16 else { throw .rtcpMalformed }
        let word = body.wire32(12)
        let count = Int(word >> 24)
        guard body.byteCount == 16 &+ count &* 4 else { throw .rtcpMalformed }
        let exponent = Int((word >> 18) & 0x3F)
        let mantissa = Int64(word & 0x3FFFF)
        // The mantissa's highest bit and the exponent together say whether the product reaches bit 63.
        let overflows = mantissa != 0 && (64 &- mantissa.leadingZeroBitCount) &+ exponent > 63
        var sources: [UInt32] = []
        sources.reserveCapacity(count)
        for index in 0..<count { sources.append(body.wire32(16 &+ index &* 4)) }
        self.init(
            senderSSRC: body.wire32(0),
            rate: DataRate(bitsPerSecond: overflows ? .max : mantissa << Int64(exponent)), sources: sources)
    }
}

extension RawSpan {
    /// The text in `range`, which lies inside the span; nil where it is not UTF-8.
    fileprivate func wireText(_ range: Range<Int>) -> String? { String(validating: wireArray(range), as: UTF8.self) }
}
