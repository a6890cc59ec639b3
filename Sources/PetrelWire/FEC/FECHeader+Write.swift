internal import PetrelCore

extension FECHeader {
    /// The packets that a mask of this format can name.
    public static func span(of format: FECFormat) -> Int {
        switch format {
        case .ulpfec: 48
        case .flexfec03: 109
        case .flexfec: 110
        }
    }

    /// The bytes that the head takes: the shortest form that holds the mask.
    public var writtenLength: Int {
        switch format {
        case .ulpfec: mask.last < 16 ? 14 : 18
        case .flexfec03: mask.last < 15 ? 20 : mask.last < 46 ? 24 : 32
        case .flexfec: mask.last < 15 ? 12 : mask.last < 46 ? 16 : 24
        }
    }

    /// Writes the head at the start of `buffer`; the protected bytes follow it.
    /// - Returns: ``writtenLength``; nil where the buffer is too short, or the mask cannot be written in this format.
    public func write(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let count = writtenLength
        guard buffer.holds(count, at: 0), !mask.isEmpty, mask.last < Self.span(of: format) else { return nil }
        buffer.put8(flags & 0x3F, at: 0)
        buffer.put8(markerAndType, at: 1)
        switch format {
        case .ulpfec:
            if count > 14 { buffer.put8(flags & 0x3F | 0x40, at: 0) }
            buffer.put16(base, at: 2)
            buffer.put32(timestamp, at: 4)
            buffer.put16(length, at: 8)
            buffer.put16(UInt16(clamping: protectionLength), at: 10)
            buffer.put16(UInt16(truncatingIfNeeded: mask.bits(count: 16, first: 0)), at: 12)
            if count > 14 { buffer.put32(UInt32(truncatingIfNeeded: mask.bits(count: 32, first: 16)), at: 14) }
        case .flexfec03:
            buffer.put16(length, at: 2)
            buffer.put32(timestamp, at: 4)
            buffer.put32(0x0100_0000, at: 8)
            buffer.put32(protectedSSRC ?? 0, at: 12)
            buffer.put16(base, at: 16)
            writeMask(into: buffer, at: 18, marksEnd: true)
        case .flexfec:
            buffer.put16(length, at: 2)
            buffer.put32(timestamp, at: 4)
            buffer.put16(base, at: 8)
            writeMask(into: buffer, at: 10, marksEnd: false)
        }
        return count
    }

    /// - Parameter marksEnd: a k bit of one ends the mask; otherwise it says that the mask goes on.
    private func writeMask(into buffer: UnsafeMutableRawBufferPointer, at offset: Int, marksEnd: Bool) {
        let last = mask.last
        let short = UInt16(truncatingIfNeeded: mask.bits(count: 15, first: 0))
        buffer.put16(short | ((last < 15) == marksEnd ? 0x8000 : 0), at: offset)
        guard last >= 15 else { return }
        let middle = UInt32(truncatingIfNeeded: mask.bits(count: 31, first: 15))
        buffer.put32(middle | ((last < 46) == marksEnd ? 0x8000_0000 : 0), at: offset + 2)
        guard last >= 46 else { return }
        if marksEnd {
            buffer.put64(mask.bits(count: 63, first: 46) | 1 << 63, at: offset + 6)
        } else {
            buffer.put64(mask.bits(count: 64, first: 46), at: offset + 6)
        }
    }
}
