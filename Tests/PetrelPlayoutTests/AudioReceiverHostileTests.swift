import PetrelCore
import Testing

@testable import PetrelPlayout

/// Input that no honest sender makes: the receiver stays bounded, never traps, and comes back.
@Suite struct AudioReceiverHostileTests {
    typealias Packet = (timestamp: Int64, sequence: Int64)

    /// Feeds 20 ms packets in real time and pulls; what `change` makes of number, timestamp and sequence is inserted.
    private func feed(
        seconds: Double, _ receiver: AudioReceiver, decoder: CountingDecoder? = nil,
        change: (Int) -> [Packet]
    ) -> [AudioPull] {
        var pulls: [AudioPull] = []
        let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 480)
        defer { block.deallocate() }
        let packets = CountingDecoder.packets(4000)
        var mostPackets = 0
        for tick in 0..<Int(seconds * 100) {
            let now = Instant(nanoseconds: Int64(tick) * 10_000_000)
            if tick % 2 == 0 {
                for packet in change(tick / 2) {
                    // The payload's number is the sequence number where it has a packet of its own.
                    let number = packet.sequence >= 0 && packet.sequence < 4000 ? Int(packet.sequence) : tick / 2
                    guard let payload = packets[number] else { continue }
                    receiver.insert(
                        timestamp: packet.timestamp, sequence: packet.sequence, payload: payload, arrival: now)
                    mostPackets = max(mostPackets, receiver.packetCount)
                }
            }
            pulls.append(receiver.pull(at: now, into: block))
        }
        #expect(mostPackets <= receiver.configuration.maximumPackets)
        return pulls
    }

    static let jumps: [Int64] = [
        1 << 31, 0 - (1 << 31), 28_800_000, -28_800_000, 144_000, -144_000, 24_000, -24_000, 1 << 55, 0 - (1 << 55),
    ]

    @Test(arguments: jumps)
    func `a jump of the timestamps is over within a second`(jump: Int64) {
        let receiver = AudioReceiverTimingTests.receiver()
        let pulls = feed(seconds: 20, receiver) { index in
            [(Int64(index) * 960 + (index >= 500 ? jump : 0), Int64(index))]
        }
        #expect(pulls[1100...].allSatisfy { $0.kind == .normal })
        #expect(pulls[1300...].allSatisfy { $0.bufferDelay < .milliseconds(40) })
    }

    @Test(arguments: [Int64(30_000), -30_000, 65_535, -1])
    func `a jump of the sequence numbers alone is not heard`(jump: Int64) {
        let receiver = AudioReceiverTimingTests.receiver()
        let pulls = feed(seconds: 20, receiver) { index in
            [(Int64(index) * 960, Int64(index) + (index >= 500 ? jump : 0))]
        }
        #expect(pulls[100...].allSatisfy { $0.kind == .normal })
        #expect(receiver.statistics.concealedSamples == 0)
    }

    @Test func `another source after a reset plays at once`() {
        let receiver = AudioReceiverTimingTests.receiver()
        let pulls = feed(seconds: 20, receiver) { index in
            if index == 500 { receiver.reset() }
            let regular = Int64(index) * 960
            return index >= 500 ? [(regular - 777_777_777, Int64(index) + 9)] : [(regular, Int64(index))]
        }
        #expect(pulls[1010...].allSatisfy { $0.kind == .normal })
        #expect(receiver.statistics.concealedSamples <= 4800)
    }

    @Test func `a stray packet changes nothing`() {
        let receiver = AudioReceiverTimingTests.receiver()
        let pulls = feed(seconds: 20, receiver) { index in
            let regular = Int64(index) * 960
            let stray: Int64 = regular + Int64(index) * 1_000_003
            var packets: [Packet] = [(regular, Int64(index))]
            if index % 50 == 49 { packets.insert((stray, 7), at: 0) }
            return packets
        }
        #expect(pulls[100...].allSatisfy { $0.kind == .normal })
    }

    @Test func `duplicates are decoded once`() {
        let decoder = CountingDecoder()
        let receiver = AudioReceiver(configuration: .init(), decoder: decoder)
        let pulls = feed(seconds: 20, receiver) { index in
            let packet = (Int64(index) * 960, Int64(index))
            let old = (Int64(max(0, index - 100)) * 960, Int64(max(0, index - 100)))
            return [packet, packet, old] as [Packet]
        }
        #expect(pulls[100...].allSatisfy { $0.kind == .normal })
        #expect(pulls[500...].allSatisfy { $0.targetDelay < .milliseconds(40) })
        #expect(Set(decoder.decoded).count == decoder.decoded.count)
        #expect(decoder.decoded.count > 990)
    }

    @Test func `thirty percent reordered by 200 packets stays bounded and comes back`() {
        let decoder = CountingDecoder()
        let receiver = AudioReceiver(configuration: .init(), decoder: decoder)
        var random = SeededGenerator(seed: 3)
        var held: [(at: Int, packet: (timestamp: Int64, sequence: Int64))] = []
        let pulls = feed(seconds: 60, receiver) { index in
            var due = held.filter { $0.at <= index }.map(\.packet)
            held.removeAll { $0.at <= index }
            let packet = (timestamp: Int64(index) * 960, sequence: Int64(index))
            if index < 1500, random.unit() < 0.3 { held.append((index + 200, packet)) } else { due.append(packet) }
            return due
        }
        #expect(Set(decoder.decoded).count == decoder.decoded.count)
        // The last held packet comes at 34 s.
        #expect(pulls[3500...].allSatisfy { $0.kind == .normal })
    }

    @Test func `packets that lie about their length, or cannot be decoded, are concealed`() {
        let decoder = CountingDecoder()
        let receiver = AudioReceiver(configuration: .init(), decoder: decoder)
        let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 480)
        defer { block.deallocate() }
        var random = SeededGenerator(seed: 8)
        for tick in 0..<2000 {
            let now = Instant(nanoseconds: Int64(tick) * 10_000_000)
            if tick % 2 == 0 {
                // Three bytes: refused by header; five bytes: accepted by header.
                let size = Int(random.next() % 6)
                let bytes = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                decoder.frame = [120, 480, 960, 2880, 5760][Int(random.next() % 5)]
                receiver.insert(
                    timestamp: Int64(tick) * 480, sequence: Int64(tick / 2), payload: FrameBuffer(bytes), arrival: now)
                decoder.frame = [120, 480, 960, 2880, 5760][Int(random.next() % 5)]
            }
            _ = receiver.pull(at: now, into: block)
        }
        #expect(receiver.statistics.packetsDiscarded > 0)
        #expect(receiver.packetCount <= 256)
    }

    /// Any order of calls with any values: 3000 seeds.
    @Test func `random operations stay within bounds`() {
        let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 960)
        defer { block.deallocate() }
        let payloads = (0..<8).map { FrameBuffer((0..<$0).map { UInt8($0) }) }
        for seed in 0..<3000 {
            var random = SeededGenerator(seed: UInt64(seed))
            let decoder = CountingDecoder()
            decoder.hasFEC = random.next() % 2 == 0
            decoder.channels = random.next() % 2 == 0 ? 1 : 2
            let receiver = AudioReceiver(
                configuration: .init(channels: decoder.channels, maximumPackets: Int(random.next() % 300)),
                decoder: decoder)
            var now = Instant.zero
            var timestamp = Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
            var sequence: Int64 = 0
            var pulled: UInt64 = 0
            var isBounded = true
            for _ in 0..<60 {
                switch random.next() % 10 {
                case 0: now += .milliseconds(Int(random.next() % 5000))
                case 1: timestamp &+= Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
                case 2: sequence &+= Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
                case 3:
                    decoder.frame = [120, 240, 480, 960, 1920, 2880, 5760][Int(random.next() % 7)]
                    receiver.setMinimumDelay(TimeDelta(nanoseconds: Int64(bitPattern: random.next())))
                case 4:
                    if random.next() % 20 == 0 { receiver.reset() }
                    if random.next() % 50 == 0 { now = Instant(nanoseconds: Int64(bitPattern: random.next())) }
                case 5, 6:
                    for _ in 0..<(random.next() % 30) {
                        timestamp &+= Int64(decoder.frame)
                        sequence &+= 1
                        receiver.insert(
                            timestamp: timestamp, sequence: sequence, payload: payloads[Int(random.next() % 8)],
                            arrival: now,
                            captureTime: random.next() % 3 == 0
                                ? .distantFuture : Instant(nanoseconds: Int64(bitPattern: random.next())))
                    }
                default:
                    for _ in 0..<(random.next() % 8) {
                        now += .milliseconds(10)
                        if receiver.pull(at: now, into: block).kind != .none { pulled += 480 }
                    }
                }
                isBounded =
                    isBounded && receiver.packetCount <= receiver.configuration.maximumPackets
                    && receiver.samples.count <= PlayoutSamples.capacity
                    && receiver.targetDelay <= receiver.configuration.maximumDelay
            }
            #expect(isBounded, "seed \(seed)")
            #expect(receiver.statistics.totalSamplesReceived == pulled)
        }
    }
}
