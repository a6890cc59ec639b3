public import PetrelCore

/// The exclusive-or of RTP packets, as RFC 5109 section 8 and RFC 8627 section 6 form it: the second half of making a
/// parity packet, and of recovering a packet from one.
public enum FECCombination {
    /// Adds one RTP packet to the recovery fields and to the body.
    /// - Parameters:
    ///   - packet: a whole packet in the clear, at least its fixed header of 12 bytes.
    ///   - body: as long as the protection; what the packet does not reach counts as zero.
    /// - Returns: false where the packet is shorter than its fixed header or longer than the body allows.
    public static func add(
        _ packet: UnsafeRawBufferPointer, to header: inout FECHeader, body: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard packet.count >= 12, packet.count - 12 <= body.count else { return false }
        header.flags ^= packet[0] & 0x3F
        header.markerAndType ^= packet[1]
        header.length ^= UInt16(clamping: packet.count - 12)
        header.timestamp ^= UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        xor(UnsafeRawBufferPointer(rebasing: packet[12...]), into: body)
        return true
    }

    /// Adds bytes to bytes; `target` is at least as long.
    static func xor(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        let count = min(source.count, target.count)
        var offset = 0
        while offset + 8 <= count {
            let sum =
                source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                ^ target.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            target.storeBytes(of: sum, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        while offset < count {
            target[offset] ^= source[offset]
            offset += 1
        }
    }

    /// Writes the fixed header of the one packet that is left when all others have been taken out of a parity packet;
    /// its body stands behind already.
    /// - Parameters:
    ///   - packet: 12 bytes for the header, then the body as long as the protection.
    /// - Returns: the length of the packet. It is not believed yet: it goes the way of received ones.
    /// - Throws: `badLength` where the length that came out is more than what was protected.
    public static func finish(
        _ header: FECHeader, sequenceNumber: UInt16, ssrc: UInt32, packet: UnsafeMutableRawBufferPointer
    ) throws(DropReason) -> Int {
        let length = 12 + Int(header.length)
        guard Int(header.length) <= header.protectionLength, packet.count >= length else { throw .badLength }
        packet.put8(0x80 | header.flags & 0x3F, at: 0)
        packet.put8(header.markerAndType, at: 1)
        packet.put16(sequenceNumber, at: 2)
        packet.put32(header.timestamp, at: 4)
        packet.put32(ssrc, at: 8)
        return length
    }
}
