import PetrelCore
import Testing

@testable import PetrelLab

@Suite struct FlightQueueTests {
    @Test func comesOutInOrderOfTimeAndThenOfSending() {
        var queue = FlightQueue(capacity: 500, maximumDatagram: 64)
        var random = SeededGenerator(seed: 1)
        var expected: [(Int64, Int)] = []
        for index in 0..<500 {
            var flight = FlightQueue.Flight()
            flight.arrival = Instant(nanoseconds: Int64.random(in: 0..<50, using: &random))
            flight.tag = index
            let bytes = [UInt8(index & 255), UInt8(index >> 8)]
            #expect(bytes.withUnsafeBytes { queue.push(flight, $0) })
            expected.append((flight.arrival.nanoseconds, index))
        }
        let full = [UInt8](repeating: 0, count: 1)
        #expect(!full.withUnsafeBytes { queue.push(FlightQueue.Flight(), $0) })
        var hasRoom = queue.hasRoom
        #expect(!hasRoom)
        expected.sort { $0 < $1 }
        #expect(queue.pop(notAfter: Instant(nanoseconds: -1)) == nil)
        for (time, index) in expected {
            let next = queue.nextArrival
            #expect(next.nanoseconds == time)
            guard let slot = queue.pop(notAfter: .distantFuture) else {
                Issue.record("nothing came out")
                return
            }
            let (tag, bytes) = (queue.flight(slot).tag, Array(queue.bytes(slot)))
            #expect(tag == index && bytes == [UInt8(index & 255), UInt8(index >> 8)])
            queue.release(slot)
        }
        hasRoom = queue.hasRoom
        let (count, next) = (queue.count, queue.nextArrival)
        #expect(hasRoom && count == 0 && next == .distantFuture)
        #expect(queue.pop(notAfter: .distantFuture) == nil)
    }

    @Test func refusesWhatDoesNotFit() {
        var queue = FlightQueue(capacity: 2, maximumDatagram: 64)
        let bytes = [UInt8](repeating: 7, count: 65)
        #expect(!bytes.withUnsafeBytes { queue.push(FlightQueue.Flight(), $0) })
        let hasRoom = queue.hasRoom
        #expect(hasRoom)
    }
}
