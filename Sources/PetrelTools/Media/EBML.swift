/// EBML elements (RFC 8794): an ID, a size, and what is inside.
enum EBML {
    /// A size that is not known yet, in eight bytes (RFC 8794 section 6.2).
    static let unknownSize: [UInt8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]

    /// The bytes of an ID, which holds its own length marker.
    static func id(_ id: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        for shift in [24, 16, 8, 0] where !bytes.isEmpty || id >> UInt32(shift) != 0 {
            bytes.append(UInt8(truncatingIfNeeded: id >> UInt32(shift)))
        }
        return bytes
    }

    /// A size in as few bytes as hold it; all ones mean "unknown" and are left free.
    static func size(_ size: Int) -> [UInt8] {
        for length in 1...8 where size < (1 << (7 * length)) - 1 {
            return sized(size, length: length)
        }
        return unknownSize
    }

    /// A size in exactly `length` bytes.
    static func sized(_ size: Int, length: Int) -> [UInt8] {
        var bytes = (0..<length).map { UInt8(truncatingIfNeeded: size >> (8 * (length - 1 - $0))) }
        bytes[0] |= UInt8(truncatingIfNeeded: 1 << (8 - length))
        return bytes
    }

    static func element(_ identifier: UInt32, _ payload: [UInt8]) -> [UInt8] {
        id(identifier) + size(payload.count) + payload
    }

    static func element(_ identifier: UInt32, _ children: [[UInt8]]) -> [UInt8] {
        element(identifier, children.flatMap { $0 })
    }

    static func element(_ identifier: UInt32, _ text: String) -> [UInt8] { element(identifier, Array(text.utf8)) }

    static func element(_ identifier: UInt32, _ number: Int) -> [UInt8] {
        var length = 1
        while length < 8 && number >> (8 * length) != 0 { length += 1 }
        return element(identifier, (0..<length).map { UInt8(truncatingIfNeeded: number >> (8 * (length - 1 - $0))) })
    }

    static func element(_ identifier: UInt32, _ number: Double) -> [UInt8] {
        let bits = number.bitPattern
        return element(identifier, (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * (7 - $0))) })
    }
}
