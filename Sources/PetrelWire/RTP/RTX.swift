public import PetrelCore

/// Retransmission packets (RFC 4588): the original packet behind its own sequence number, in a stream of its own.
public enum RTX {
    /// The bytes of the original sequence number (OSN) in front of the original payload (RFC 4588 section 4).
    public static let originalSequenceNumberLength = 2

    /// The original sequence number in a retransmission packet.
    /// - Parameters:
    ///   - bytes: the packet in the clear that `header` was read from.
    /// - Returns: nil for a packet of padding only, which carries no original and serves as a probe.
    /// - Throws: `payloadEmpty` without payload and padding, `payloadMalformed` for a payload of one byte.
    public static func originalSequenceNumber(in bytes: RawSpan, header: RTPHeader) throws(DropReason) -> UInt16? {
        if header.payloadLength == 0 {
            if header.paddingLength > 0 { return nil }
            throw .payloadEmpty
        }
        guard header.payloadLength >= originalSequenceNumberLength, header.payloadRange.upperBound <= bytes.byteCount
        else { throw .payloadMalformed }
        return bytes.wire16(header.payloadOffset)
    }

    /// Writes the original sequence number in front of a payload.
    /// - Returns: 2, or nil where the buffer is shorter.
    public static func write(originalSequenceNumber: UInt16, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        guard buffer.holds(originalSequenceNumberLength, at: 0) else { return nil }
        buffer.put16(originalSequenceNumber, at: 0)
        return originalSequenceNumberLength
    }

    /// Puts `original` into a retransmission packet: header and header extension as they are but for payload type,
    /// sequence number and source; then the original sequence number and the payload without padding.
    /// - Parameters:
    ///   - original: the packet that `header` was read from, by `RTPHeader(parsing:)`.
    /// - Returns: the length of the retransmission packet, or nil where it does not fit.
    public static func wrap(
        _ original: RawSpan, header: RTPHeader, into buffer: UnsafeMutableRawBufferPointer, payloadType: UInt8,
        sequenceNumber: UInt16, ssrc: UInt32
    ) -> Int? {
        let length = header.headerLength &+ originalSequenceNumberLength &+ header.payloadLength
        guard header.payloadRange.upperBound <= original.byteCount, buffer.holds(length, at: 0) else { return nil }
        copy(original, 0..<header.headerLength, into: buffer, at: 0)
        buffer.put16(header.sequenceNumber, at: header.headerLength)
        copy(original, header.payloadRange, into: buffer, at: header.headerLength &+ originalSequenceNumberLength)
        finish(buffer, payloadType: payloadType, sequenceNumber: sequenceNumber, ssrc: ssrc)
        return length
    }

    /// Takes the original packet out of a retransmission packet. Its padding is gone, marker, timestamp and header
    /// extension are those of the retransmission packet (RFC 4588 section 4).
    /// - Parameters:
    ///   - packet: the packet in the clear that `header` was read from, by `RTPHeader(parsing:)`.
    ///   - payloadType: the original payload type (`apt`).
    ///   - ssrc: the original source.
    /// - Returns: the length of the original packet, or nil for a packet of padding only.
    /// - Throws: as ``originalSequenceNumber(in:header:)``; `badLength` where the buffer is too short.
    public static func unwrap(
        _ packet: RawSpan, header: RTPHeader, into buffer: UnsafeMutableRawBufferPointer, payloadType: UInt8,
        ssrc: UInt32
    ) throws(DropReason) -> Int? {
        guard let number = try originalSequenceNumber(in: packet, header: header) else { return nil }
        let payload = (header.payloadOffset &+ originalSequenceNumberLength)..<header.payloadRange.upperBound
        let length = header.headerLength &+ payload.count
        guard buffer.holds(length, at: 0) else { throw .badLength }
        copy(packet, 0..<header.headerLength, into: buffer, at: 0)
        copy(packet, payload, into: buffer, at: header.headerLength)
        finish(buffer, payloadType: payloadType, sequenceNumber: number, ssrc: ssrc)
        return length
    }

    /// The fields that differ between an original and its retransmission; neither has padding.
    private static func finish(
        _ buffer: UnsafeMutableRawBufferPointer, payloadType: UInt8, sequenceNumber: UInt16, ssrc: UInt32
    ) {
        buffer.put8(buffer[0] & ~0x20, at: 0)
        buffer.put8((buffer[1] & 0x80) | (payloadType & 0x7F), at: 1)
        buffer.put16(sequenceNumber, at: 2)
        buffer.put32(ssrc, at: 8)
    }

    private static func copy(
        _ source: RawSpan, _ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) {
        guard !range.isEmpty else { return }
        source.extracting(range).withUnsafeBytes {
            UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyMemory(from: $0)
        }
    }
}
