internal import PetrelCore

/// Where in a written packet the extensions lie that are filled in at the moment of sending; zero means absent.
public struct RTPExtensionOffsets: Hashable, Sendable {
    /// The first byte of the 3 of abs-send-time, from the start of the packet.
    public internal(set) var absSendTime: Int = 0
    /// The first byte of the 2 of the transport-wide sequence number, from the start of the packet.
    public internal(set) var transportSequenceNumber: Int = 0

    public init() {}

    /// Sets abs-send-time in a packet written before. Does nothing where the extension is absent.
    public func patch(absSendTime time: AbsSendTime, in packet: UnsafeMutableRawBufferPointer) {
        guard absSendTime > 0, packet.holds(3, at: absSendTime) else { return }
        packet.put24(time.bits, at: absSendTime)
    }

    /// Sets the transport-wide sequence number in a packet written before. Does nothing where the extension is absent.
    public func patch(transportSequenceNumber number: UInt16, in packet: UnsafeMutableRawBufferPointer) {
        guard transportSequenceNumber > 0, packet.holds(2, at: transportSequenceNumber) else { return }
        packet.put16(number, at: transportSequenceNumber)
    }
}

extension RTPExtensions {
    /// The bytes that the extension block needs, its 4-byte head and padding included; zero where nothing that is
    /// present has an id.
    public func writtenLength(map: RTPExtensionMap) -> Int {
        let (content, _) = contentLength(map)
        return content == 0 ? 0 : 4 + (content + 3) / 4 * 4
    }

    /// The bytes of all elements, and whether the two-byte form is needed because an id lies above 14.
    private func contentLength(_ map: RTPExtensionMap) -> (length: Int, isTwoByte: Bool) {
        var (length, count, highest) = (0, 0, UInt8(0))
        func add(_ id: UInt8, _ elementLength: Int?) {
            guard id != 0, let elementLength else { return }
            length += elementLength
            count += 1
            highest = max(highest, id)
        }
        add(map.transportSequenceNumber, transportSequenceNumber == nil ? nil : 2)
        add(map.absSendTime, absSendTime == nil ? nil : 3)
        add(map.mid, mid?.count)
        add(map.rid, rid?.count)
        add(map.audioLevel, audioLevel == nil ? nil : 1)
        add(map.frameReferences, frameReferences?.length)
        add(map.absCaptureTime, absCaptureTime.map { $0.clockOffset == nil ? 8 : 16 })
        let isTwoByte = highest > 14
        return (length + count * (isTwoByte ? 2 : 1), isTwoByte)
    }

    /// Writes the extension block (RFC 8285 section 4) at `start`: one-byte form, or two-byte form where an id lies
    /// above 14, with zeros up to a multiple of four.
    /// - Returns: the bytes written, zero where nothing is to be written; nil where the buffer is too short.
    func write(
        into buffer: UnsafeMutableRawBufferPointer, at start: Int, map: RTPExtensionMap,
        offsets: inout RTPExtensionOffsets
    ) -> Int? {
        let (content, isTwoByte) = contentLength(map)
        guard content > 0 else { return 0 }
        let padded = (content + 3) / 4 * 4
        guard buffer.holds(4 + padded, at: start) else { return nil }
        buffer.put16(isTwoByte ? Self.twoByteProfile : Self.oneByteProfile, at: start)
        buffer.put16(UInt16(truncatingIfNeeded: padded / 4), at: start + 2)
        var offset = start + 4

        func head(_ id: UInt8, _ length: Int) {
            if isTwoByte {
                buffer.put8(id, at: offset)
                buffer.put8(UInt8(truncatingIfNeeded: length), at: offset + 1)
                offset += 2
            } else {
                buffer.put8(id << 4 | UInt8(truncatingIfNeeded: length - 1), at: offset)
                offset += 1
            }
        }
        func text(_ id: UInt8, _ token: ShortToken?) {
            guard id != 0, let token else { return }
            let count = token.count
            head(id, count)
            for index in 0..<count { buffer.put8(token[index], at: offset + index) }
            offset += count
        }

        if map.transportSequenceNumber != 0, let transportSequenceNumber {
            head(map.transportSequenceNumber, 2)
            offsets.transportSequenceNumber = offset
            buffer.put16(transportSequenceNumber, at: offset)
            offset += 2
        }
        if map.absSendTime != 0, let absSendTime {
            head(map.absSendTime, 3)
            offsets.absSendTime = offset
            buffer.put24(absSendTime.bits, at: offset)
            offset += 3
        }
        text(map.mid, mid)
        text(map.rid, rid)
        if map.audioLevel != 0, let audioLevel {
            head(map.audioLevel, 1)
            buffer.put8((audioLevel.isVoice ? 0x80 : 0) | min(audioLevel.level, 127), at: offset)
            offset += 1
        }
        if map.frameReferences != 0, let frameReferences {
            let count = frameReferences.length
            head(map.frameReferences, count)
            for index in 0..<count { buffer.put8(frameReferences[index], at: offset + index) }
            offset += count
        }
        if map.absCaptureTime != 0, let absCaptureTime {
            head(map.absCaptureTime, absCaptureTime.clockOffset == nil ? 8 : 16)
            buffer.put64(absCaptureTime.captureTime.bits, at: offset)
            offset += 8
            if let clockOffset = absCaptureTime.clockOffset {
                buffer.put64(UInt64(bitPattern: clockOffset), at: offset)
                offset += 8
            }
        }
        while offset < start + 4 + padded {
            buffer.put8(0, at: offset)
            offset += 1
        }
        return 4 + padded
    }
}
