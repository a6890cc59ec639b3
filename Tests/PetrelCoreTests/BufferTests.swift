import PetrelCore
import Testing

@Suite struct BufferTests {
    @Test func aBatchHoldsWhatItWasGivenAndNoMore() throws {
        var batch = EgressBatch(capacity: 2)
        let here = try #require(TransportAddress("127.0.0.1", port: 1))
        let there = try #require(TransportAddress("127.0.0.1", port: 2))
        let first: [UInt8] = [1, 2, 3]
        #expect(batch.append(first.span.bytes, to: there, from: here))
        let gaveUp = batch.append(to: there, from: here) { _ in nil }
        #expect(!gaveUp)
        let second = batch.append(to: there, from: here) { slot in
            slot[0] = 9
            return 1
        }
        #expect(second && batch.isFull)
        #expect(!batch.append(first.span.bytes, to: there, from: here))
        #expect(Array(batch.bytes(0)) == first)
        #expect(Array(batch.bytes(1)) == [9])
        #expect(batch.entry(1).destination == there)
        batch.removeAll()
        #expect(batch.count == 0)
        let tooLong = [UInt8](repeating: 0, count: 5000)
        #expect(!batch.append(tooLong.span.bytes, to: there, from: here))
    }

    @Test func slotsAreApartAndAligned() {
        let memory = SlotMemory(count: 3, slotSize: 100)
        #expect(memory.stride == 128)
        for index in 0..<3 { memory.slot(index).initializeMemory(as: UInt8.self, repeating: UInt8(index)) }
        for index in 0..<3 { #expect(memory.slot(index).allSatisfy { $0 == UInt8(index) }) }
    }

    @Test func aPoolHandsOutOnlyWhatNobodyHolds() {
        var pool = FrameBufferPool(limit: 2)
        let first = pool.take()
        first.append([UInt8](repeating: 7, count: 5000).span.bytes)
        let second = pool.take()
        #expect(first !== second)
        let identity = ObjectIdentifier(first)
        var held: FrameBuffer? = first
        #expect(held?.count == 5000)
        held = nil
        withExtendedLifetime(second) {}
        _ = identity
        var third: FrameBuffer? = pool.take()
        #expect(third?.count == 0)
        third = nil
    }
}
