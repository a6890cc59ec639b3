import PetrelCore
import Testing

@Suite struct BufferTests {
    @Test func aBatchHoldsWhatItWasGivenAndNoMore() throws {
        var batch = EgressBatch(capacity: 2)
        let here = try #require(TransportAddress("127.0.0.1", port: 1))
        let there = try #require(TransportAddress("127.0.0.1", port: 2))
        let first: [UInt8] = [1, 2, 3]
        let isTaken = batch.append(first.span.bytes, to: there, from: here)
        #expect(isTaken)
        let gaveUp = batch.append(to: there, from: here) { _ in nil }
        #expect(!gaveUp)
        let second = batch.append(to: there, from: here) { slot in
            slot[0] = 9
            return 1
        }
        let isFull = batch.isFull
        #expect(second && isFull)
        let third = batch.append(first.span.bytes, to: there, from: here)
        #expect(!third)
        let contents = [Array(batch.bytes(0)), Array(batch.bytes(1))]
        #expect(contents == [first, [9]])
        let destination = batch.entry(1).destination
        #expect(destination == there)
        batch.removeAll()
        let count = batch.count
        #expect(count == 0)
        let tooLong = [UInt8](repeating: 0, count: 5000)
        let isTooLongTaken = batch.append(tooLong.span.bytes, to: there, from: here)
        #expect(!isTooLongTaken)
    }

    @Test func slotsAreApartAndAligned() {
        let memory = SlotMemory(count: 3, slotSize: 100)
        let stride = memory.stride
        #expect(stride == 128)
        for index in 0..<3 { memory.slot(index).initializeMemory(as: UInt8.self, repeating: UInt8(index)) }
        let areApart = (0..<3).map { index in memory.slot(index).allSatisfy { $0 == UInt8(index) } }
        #expect(areApart == [true, true, true])
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
