import PetrelCongestion
import PetrelCore
import Testing

@Suite struct PacerTests {
    private func item(_ sequence: Int64, bytes: Int32 = 1200, stream: Int32 = 0, at now: Instant = .zero) -> Pacer.Item
    {
        Pacer.Item(stream: stream, sequence: sequence, bytes: bytes, enqueued: now)
    }

    /// Lets out all until it is empty or `end`; answers what left when.
    private func drain(_ pacer: inout Pacer, until end: Instant) -> [(at: Instant, sequence: Int64, kind: PacketClass)]
    {
        var left: [(Instant, Int64, PacketClass)] = []
        var steps = 0
        while let deadline = pacer.nextDeadline, deadline <= end, steps < 100_000 {
            steps += 1
            var progressed = false
            while let (item, kind) = pacer.next(now: deadline) {
                left.append((deadline, item.sequence, kind))
                progressed = true
            }
            #expect(progressed, "a deadline at which nothing may leave would be asked for for ever")
            if !progressed { break }
        }
        return left
    }

    @Test func aFrameIsSpreadAndKeepsItsOrder() {
        var pacer = Pacer(targetRate: .kilobitsPerSecond(2000), now: .zero)
        for sequence in 0..<40 {
            let taken = pacer.enqueue(item(Int64(sequence)), as: .video)
            #expect(taken)
        }
        let left = drain(&pacer, until: .zero + .seconds(1))
        #expect(left.map(\.sequence) == Array(0..<40))
        let length: TimeDelta = (left.last?.at ?? Instant.zero) - Instant.zero
        // 48 kB at no more than six times 2 Mbit/s take 30 ms; a frame of that size must not take 100.
        #expect(length.milliseconds >= 28 && length.milliseconds <= 100)
        #expect(left.filter { $0.at == .zero }.count <= 3)
        #expect(pacer.isEmpty && pacer.queuedBytes == 0 && pacer.nextDeadline == nil)
    }

    @Test func audioNeverWaitsAndRepairGoesBeforeVideo() {
        var pacer = Pacer(targetRate: .kilobitsPerSecond(500), now: .zero)
        for sequence in 0..<30 { _ = pacer.enqueue(item(Int64(sequence)), as: .video) }
        _ = drain(&pacer, until: .zero)
        _ = pacer.enqueue(item(1000, bytes: 100), as: .audio)
        _ = pacer.enqueue(item(2000), as: .retransmission)
        let first = pacer.next(now: .zero)?.packetClass
        #expect(first == .audio)
        let second = pacer.next(now: .zero)?.packetClass
        #expect(second == nil)
        let third = drain(&pacer, until: .zero + .seconds(5)).first?.kind
        #expect(third == .retransmission)
    }

    @Test func theMeanRateFollowsTheTarget() {
        // More than the target is offered for ten seconds: what leaves is bounded, and nothing starves.
        var pacer = Pacer(targetRate: .kilobitsPerSecond(1000), now: .zero)
        var bytes = 0
        var oldest = TimeDelta.zero
        for step in 0..<300 {
            let now = Instant.zero + .milliseconds(33 * step)
            for packet in 0..<3 { _ = pacer.enqueue(item(Int64(step * 3 + packet), at: now), as: .video) }
            for left in drain(&pacer, until: now + .milliseconds(33)) {
                bytes += 1200
                oldest = max(oldest, left.at - (.zero + .milliseconds(33 * Int(left.sequence / 3))))
            }
        }
        #expect(bytes == 300 * 3 * 1200)
        #expect(oldest <= .milliseconds(50))
    }

    @Test func fullQueuesRefuseAndStreamsCanBeForgotten() {
        var pacer = Pacer(targetRate: .kilobitsPerSecond(1000), now: .zero)
        for sequence in 0..<Pacer.queueLimit {
            let taken = pacer.enqueue(item(Int64(sequence), stream: Int32(sequence % 2)), as: .video)
            #expect(taken)
        }
        let beyond = pacer.enqueue(item(1), as: .video)
        #expect(!beyond)
        pacer.removeAll(stream: 0)
        #expect(pacer.queuedBytes == Pacer.queueLimit / 2 * 1200)
        let again = pacer.enqueue(item(1), as: .video)
        #expect(again)
    }

    @Test func sentPacketsAreFoundByTheirLastUse() {
        var log = SentPacketLog(firstSequence: 65_000)
        #expect(log.entry(65_000) == nil)
        for index in 0..<70_000 {
            let number = log.append(bytes: index % 1000, as: .video, now: .zero + .milliseconds(index))
            #expect(number == UInt16(truncatingIfNeeded: 65_000 + index))
        }
        let last = UInt16(truncatingIfNeeded: 65_000 + 69_999)
        #expect(log.entry(last)?.sent == .zero + .milliseconds(69_999))
        #expect(log.entry(last &+ 1) == nil, "never sent")
        #expect(log.entry(last &- UInt16(SentPacketLog.capacity)) == nil, "forgotten")
        if let entry = log.entry(last) { log.acknowledge(entry) }
        #expect(log.entry(last)?.acknowledged == true)
    }
}
