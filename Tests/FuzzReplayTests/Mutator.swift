import PetrelCore

/// Changes inputs at random, the same way in every run.
struct Mutator {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }

    /// One to six changes of `bytes`; some take pieces of `other`.
    mutating func mutate(_ bytes: [UInt8], with other: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(6) {
            let place = below(bytes.count)
            switch below(9) {
            case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(below(8))
            case 1 where !bytes.isEmpty: bytes[place] = UInt8(below(256))
            case 2 where !bytes.isEmpty: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][below(5)]
            case 3 where !bytes.isEmpty: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
            case 4: bytes.insert(UInt8(below(256)), at: place)
            case 5 where !bytes.isEmpty: bytes.removeLast(below(bytes.count))
            case 6 where !other.isEmpty:
                let start = below(other.count)
                bytes.insert(contentsOf: other[start..<min(other.count, start + 1 + below(64))], at: place)
            case 7 where !bytes.isEmpty:
                let end = min(bytes.count, place + 1 + below(32))
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: end)
            case 8 where bytes.count >= 2:
                // A length or count of two octets.
                let place = min(place, bytes.count - 2)
                (bytes[place], bytes[place + 1]) = [(0, 0), (0xFF, 0xFF), (0x7F, 0xFF), (0x80, 0)][below(4)]
            default: bytes.append(UInt8(below(256)))
            }
        }
        return bytes
    }
}
