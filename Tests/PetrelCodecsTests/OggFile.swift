/// The packets of an Ogg file with one logical stream (RFC 3533 section 6), each page's checksum verified.
struct OggFile {
    enum Damage: Error { case notAPage, checksum, truncated, unfinishedPacket }

    var packets: [[UInt8]] = []

    init(_ bytes: [UInt8]) throws {
        var offset = 0
        var open: [UInt8] = []
        var isOpen = false
        while offset < bytes.count {
            guard bytes.count - offset >= 27, bytes[offset..<(offset + 4)].elementsEqual(Array("OggS".utf8)) else {
                throw Damage.notAPage
            }
            let segments = Int(bytes[offset + 26])
            guard offset + 27 + segments <= bytes.count else { throw Damage.truncated }
            let lengths = bytes[(offset + 27)..<(offset + 27 + segments)].map(Int.init)
            let end = offset + 27 + segments + lengths.reduce(0, +)
            guard end <= bytes.count else { throw Damage.truncated }
            var page = Array(bytes[offset..<end])
            let claimed = (0..<4).reduce(UInt32(0)) { $0 | UInt32(page[22 + $1]) << (8 * UInt32($1)) }
            for index in 22..<26 { page[index] = 0 }
            guard Self.checksum(page) == claimed else { throw Damage.checksum }
            var place = offset + 27 + segments
            for length in lengths {
                open.append(contentsOf: bytes[place..<(place + length)])
                place += length
                isOpen = length == 255
                if !isOpen {
                    packets.append(open)
                    open = []
                }
            }
            offset = end
        }
        if isOpen { throw Damage.unfinishedPacket }
    }

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index) << 24
        for _ in 0..<8 { value = value & 0x8000_0000 != 0 ? value << 1 ^ 0x04C1_1DB7 : value << 1 }
        return value
    }

    private static func checksum(_ page: [UInt8]) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            page.reduce(0) { $0 << 8 ^ table[Int($0 >> 24) ^ Int($1)] }
        }
    }
}
