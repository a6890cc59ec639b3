import Testing

@testable import PetrelLab

@Suite struct TraceHashTests {
    private func hash(_ bytes: [UInt8]) -> UInt64 {
        var hash = TraceHash()
        bytes.withUnsafeBytes { hash.mix($0) }
        return hash.value
    }

    @Test func everyBitCounts() {
        let base = (0..<29).map { UInt8($0) }
        var seen: Set<UInt64> = [hash(base)]
        for index in base.indices {
            for bit in 0..<8 {
                var changed = base
                changed[index] ^= 1 << UInt8(bit)
                seen.insert(hash(changed))
            }
        }
        #expect(seen.count == 1 + 29 * 8)
    }

    @Test func lengthAndOrderCount() {
        #expect(Set((0..<40).map { hash([UInt8](repeating: 0, count: $0)) }).count == 40)
        #expect(hash([1, 2]) != hash([2, 1]))
        var first = TraceHash()
        var second = TraceHash()
        first.mix(1)
        first.mix(2)
        second.mix(2)
        second.mix(1)
        #expect(first != second)
    }
}
