extension RTPHeader {
    /// The bytes that ``write(into:marker:payloadType:sequenceNumber:timestamp:ssrc:hasPadding:extensions:map:offsets:)``
    /// will need, so that a payload can be placed before its header is written.
    public static func writtenLength(extensions: RTPExtensions = RTPExtensions(), map: RTPExtensionMap = .none) -> Int {
        fixedLength + extensions.writtenLength(map: map)
    }

    /// Writes a header without contributing sources at the start of `buffer`.
    /// - Parameters:
    ///   - payloadType: 0...127; the upper bit is ignored.
    ///   - hasPadding: sets the P bit; the caller writes the padding and its count.
    ///   - extensions: those that are present and have an id in `map` are written.
    ///   - offsets: where the extensions that are patched later came to lie.
    /// - Returns: the header's length, or nil where the buffer is too short.
    public static func write(
        into buffer: UnsafeMutableRawBufferPointer, marker: Bool = false, payloadType: UInt8, sequenceNumber: UInt16,
        timestamp: UInt32, ssrc: UInt32, hasPadding: Bool = false, extensions: RTPExtensions, map: RTPExtensionMap,
        offsets: inout RTPExtensionOffsets
    ) -> Int? {
        offsets = RTPExtensionOffsets()
        guard buffer.holds(fixedLength, at: 0) else { return nil }
        guard let extensionLength = extensions.write(into: buffer, at: fixedLength, map: map, offsets: &offsets) else {
            return nil
        }
        buffer.put8(0x80 | (hasPadding ? 0x20 : 0) | (extensionLength > 0 ? 0x10 : 0), at: 0)
        buffer.put8((marker ? 0x80 : 0) | (payloadType & 0x7F), at: 1)
        buffer.put16(sequenceNumber, at: 2)
        buffer.put32(timestamp, at: 4)
        buffer.put32(ssrc, at: 8)
        return fixedLength + extensionLength
    }

    /// Writes a header without extensions and contributing sources at the start of `buffer`.
    /// - Returns: 12, or nil where the buffer is shorter.
    public static func write(
        into buffer: UnsafeMutableRawBufferPointer, marker: Bool = false, payloadType: UInt8, sequenceNumber: UInt16,
        timestamp: UInt32, ssrc: UInt32, hasPadding: Bool = false
    ) -> Int? {
        var offsets = RTPExtensionOffsets()
        return write(
            into: buffer, marker: marker, payloadType: payloadType, sequenceNumber: sequenceNumber,
            timestamp: timestamp, ssrc: ssrc, hasPadding: hasPadding, extensions: RTPExtensions(), map: .none,
            offsets: &offsets)
    }

    /// The same into a span.
    public static func write(
        into span: inout MutableRawSpan, marker: Bool = false, payloadType: UInt8, sequenceNumber: UInt16,
        timestamp: UInt32, ssrc: UInt32, hasPadding: Bool = false, extensions: RTPExtensions, map: RTPExtensionMap,
        offsets: inout RTPExtensionOffsets
    ) -> Int? {
        span.withUnsafeMutableBytes { buffer in
            write(
                into: buffer, marker: marker, payloadType: payloadType, sequenceNumber: sequenceNumber,
                timestamp: timestamp, ssrc: ssrc, hasPadding: hasPadding, extensions: extensions, map: map,
                offsets: &offsets)
        }
    }

    /// Sets the sequence number of a packet that is already written. Does nothing to a buffer shorter than a header.
    public static func patch(sequenceNumber: UInt16, in packet: UnsafeMutableRawBufferPointer) {
        guard packet.holds(fixedLength, at: 0) else { return }
        packet.put16(sequenceNumber, at: 2)
    }

    /// Sets the timestamp of a packet that is already written. Does nothing to a buffer shorter than a header.
    public static func patch(timestamp: UInt32, in packet: UnsafeMutableRawBufferPointer) {
        guard packet.holds(fixedLength, at: 0) else { return }
        packet.put32(timestamp, at: 4)
    }

    /// Sets the source and payload type (marker kept) of a packet that is already written. Does nothing to a buffer
    /// shorter than a header.
    public static func patch(ssrc: UInt32, payloadType: UInt8, in packet: UnsafeMutableRawBufferPointer) {
        guard packet.holds(fixedLength, at: 0) else { return }
        packet.put8((packet[1] & 0x80) | (payloadType & 0x7F), at: 1)
        packet.put32(ssrc, at: 8)
    }
}
