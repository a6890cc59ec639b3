import PetrelCore
import PetrelWire
import Testing

@Suite("Transport-wide feedback")
struct TransportFeedbackTests {
    private func parse(_ text: String) throws(DropReason) -> TransportFeedback? {
        guard case .transportFeedback(let feedback) = try rtcp(hex(text)).first else { return nil }
        return feedback
    }

    private func write(_ statuses: [TransportFeedback.Status]) -> [UInt8] {
        var writer = RTCPWriter(maximumLength: 65_535)
        writer.append(
            .transportFeedback(
                TransportFeedback(
                    senderSSRC: 1, mediaSSRC: 2, baseSequenceNumber: 3, referenceTime: -1, feedbackPacketCount: 5,
                    statuses: statuses)))
        return writer.bytes
    }

    private let small = TransportFeedback.Status.received(delta: 4)
    private let large = TransportFeedback.Status.received(delta: -4)

    @Test("a packet with one byte of padding, as browsers send it")
    func browserPadding() throws {
        let feedback = try #require(try parse("afcd0005 fa17fa17 43032fa0 00990001 3de80217 20019401"))
        #expect(feedback.baseSequenceNumber == 153)
        #expect(feedback.referenceTime == 4_057_090)
        #expect(feedback.feedbackPacketCount == 23)
        // 148 * 250 us = 37 ms
        #expect(feedback.statuses == [.received(delta: 148)])
        // Two of them in one datagram: the padding of the first is not in the last packet.
        let one = "afcd0005 fa17fa17 43032fa0 00990001 3de80217 20019401"
        #expect(try rtcp(hex(one + one)).count == 2)
    }

    @Test("chunks of the draft's sections 3.1.3 and 3.1.4")
    func chunks() throws {
        let head = "00000001 00000002 0003"
        // 221 times not received
        #expect(
            try #require(try parse("8fcd0005" + head + "00dd 00000105 00dd0000")).statuses
                == Array(repeating: .notReceived, count: 221))
        // One-bit vector: one lost, five received, three lost, three received, two lost
        let narrow = try #require(
            try parse("8fcd0007" + head + "000e 00000105 9f1c 0101010101010101 0000"))
        let flags = narrow.statuses.map { $0 == .notReceived ? "0" : "1" }.joined()
        #expect(flags == "01111100011100")
        // Two-bit vector: lost, large, small, small, small, lost, lost
        let wide = try #require(
            try parse("8fcd0006" + head + "0007 00000105 c950 ffff 010203 00"))
        #expect(
            wide.statuses == [
                .notReceived, .received(delta: -1), .received(delta: 1), .received(delta: 2), .received(delta: 3),
                .notReceived, .notReceived,
            ])
    }

    @Test("the writer picks the chunk that covers most, and fills up with zeros")
    func writing() {
        let head = "00000001 00000002 0003"
        #expect(write([small]) == hex("8fcd0005" + head + "0001 ffffff05 2001 04 00"))
        #expect(
            write(Array(repeating: .notReceived, count: 9000))
                == hex("8fcd0005" + head + "2328 ffffff05 1fff 0329"))
        #expect(
            write([.notReceived] + Array(repeating: small, count: 5))
                == hex("8fcd0006" + head + "0006 ffffff05 9f00 0404040404 00"))
        #expect(
            write([small, large, .notReceived]) == hex("8fcd0006" + head + "0003 ffffff05 d800 04 fffc 000000"))
        #expect(write([]) == hex("8fcd0004" + head + "0000 ffffff05"))
    }

    @Test("malformed feedback (C49)")
    func malformed() {
        let head = "00000001 00000002 0003"
        for text in [
            "8fcd0003" + head + "0000",  // cut head
            "8fcd0005" + head + "ffff 00000105 20050000",  // 65,535 statuses, 5 backed up
            "8fcd0004" + head + "0001 00000105",  // no chunk
            "8fcd0005" + head + "0007 00000105 eaaa 0102",  // deltas missing
            "8fcd0005" + head + "0002 00000105 4002 0102",  // large deltas cut
            "8fcd0006" + head + "000a 00000105 6001 0000 00000000",  // reserved symbol in a run
            "8fcd0006" + head + "0007 00000105 f000 0000 00000000",  // reserved symbol in a vector
        ] {
            #expect(throws: DropReason.rtcpMalformed, "\(text)") { try parse(text) }
        }
    }

    @Test("a run longer than the count is cut, and a run of nothing says nothing")
    func runs() throws {
        let head = "00000001 00000002 0003"
        #expect(try #require(try parse("8fcd0006" + head + "0003 00000105 3fff 010203 000000")).statuses.count == 3)
        #expect(try #require(try parse("8fcd0005" + head + "0001 00000105 0000 0001")).statuses == [.notReceived])
    }

    @Test("the work of one datagram is bounded")
    func budget() throws {
        // 8 runs of 8,191 lost packets are 65,528 statuses in 36 bytes.
        let one =
            hex("8fcd0008 00000001 00000002 0003 fff8 00000105")
            + Array(repeating: hex("1fff"), count: 8).flatMap { $0 }
        #expect(one.count == 36)
        guard case .transportFeedback(let feedback) = try rtcp(one).first else {
            Issue.record("no feedback")
            return
        }
        #expect(feedback.statuses.count == 65_528)
        #expect(throws: DropReason.tooMany) { try rtcp(one + one) }
    }

    @Test("reference time has 24 bits and a sign")
    func referenceTime() throws {
        let feedback = try #require(try parse("8fcd0005 00000001 00000002 0003 0001 80000005 2001 0400"))
        #expect(feedback.referenceTime == -0x80_0000)
        #expect(feedback.feedbackPacketCount == 5)
        #expect(feedback.referenceTime(since: 0x7F_FFFF) == .milliseconds(64))
        #expect(feedback.referenceTime(since: -0x7F_FFFF) == .milliseconds(-64))
    }

    @Test("packets one by one: numbers wrap, times add up")
    func forEachPacket() {
        let feedback = TransportFeedback(
            senderSSRC: 1, mediaSSRC: 2, baseSequenceNumber: 65_534, referenceTime: 0, feedbackPacketCount: 0,
            statuses: [.received(delta: 8), .notReceived, .received(delta: 40), .received(delta: -4)])
        var numbers: [UInt16] = []
        var times: [TimeDelta?] = []
        feedback.forEachPacket {
            numbers.append($0.sequenceNumber)
            times.append($0.arrival)
        }
        #expect(numbers == [65_534, 65_535, 0, 1])
        #expect(times == [.milliseconds(2), nil, .milliseconds(12), .milliseconds(11)])
    }
}

@Suite("Transport-wide feedback builder")
struct TransportFeedbackBuilderTests {
    private func milliseconds(_ value: Double) -> Instant { .zero + .milliseconds(value) }

    @Test("reference time is the 64 ms before the first arrival, gaps are losses")
    func building() throws {
        var builder = TransportFeedbackBuilder(senderSSRC: 1, mediaSSRC: 2, feedbackPacketCount: 9)
        #expect(builder.feedback == nil)
        let lost = builder.add(65_535, arrival: nil)
        #expect(lost)
        #expect(builder.feedback == nil)
        let first = builder.add(0, arrival: milliseconds(130))
        let third = builder.add(2, arrival: milliseconds(129.5))
        let fourth = builder.add(3, arrival: milliseconds(200))
        #expect(first && third && fourth)
        let feedback = try #require(builder.feedback)
        #expect(
            feedback
                == TransportFeedback(
                    senderSSRC: 1, mediaSSRC: 2, baseSequenceNumber: 65_535, referenceTime: 2, feedbackPacketCount: 9,
                    statuses: [
                        .notReceived, .received(delta: 8), .notReceived, .received(delta: -2), .received(delta: 282),
                    ]))
    }

    @Test("what does not fit is refused and changes nothing")
    func refusing() {
        var builder = TransportFeedbackBuilder(senderSSRC: 1, mediaSSRC: 2, feedbackPacketCount: 0)
        let first = builder.add(10, arrival: milliseconds(0))
        #expect(first)
        let before = builder.feedback
        // 32,767 ticks are 8,191.75 ms
        let late = builder.add(11, arrival: milliseconds(8192))
        let early = builder.add(11, arrival: milliseconds(-8192.25))
        let same = builder.add(10, arrival: milliseconds(1))
        let behind = builder.add(9, arrival: milliseconds(1))
        #expect(!late && !early && !same && !behind)
        #expect(builder.feedback == before)
        let edge = builder.add(11, arrival: milliseconds(8191.75))
        #expect(edge)
        let far = builder.add(12, arrival: .distantFuture)
        let past = builder.add(12, arrival: .distantPast)
        #expect(!far && !past)
    }

    @Test("split packets keep every arrival within 250 us, stay short and are read back")
    func splitting() throws {
        var random = SeededGenerator(seed: 4)
        for maximumLength in [60, 200, 1000] {
            var now = Instant(nanoseconds: 900_000_000_000_000)
            var arrivals: [(number: UInt16, arrival: Instant?)] = []
            var number: UInt16 = 65_000
            for _ in 0..<4000 {
                now += .microseconds(Int.random(in: -2000...12_000, using: &random))
                if Int.random(in: 0...700, using: &random) == 0 { now += .seconds(9) }
                let isLost = Int.random(in: 0...3, using: &random) == 0
                arrivals.append((number, isLost ? nil : now))
                number &+= 1
            }

            var datagrams: [[UInt8]] = []
            func finish(_ builder: TransportFeedbackBuilder) throws {
                var writer = RTCPWriter(maximumLength: maximumLength)
                let isWritten = writer.append(.transportFeedback(try #require(builder.feedback)))
                #expect(isWritten, "within \(maximumLength) bytes")
                datagrams.append(writer.bytes)
            }
            var builder = TransportFeedbackBuilder(
                senderSSRC: 1, mediaSSRC: 2, feedbackPacketCount: 0, maximumLength: maximumLength)
            for (number, arrival) in arrivals where arrival != nil {
                if builder.add(number, arrival: arrival) { continue }
                try finish(builder)
                builder = TransportFeedbackBuilder(
                    senderSSRC: 1, mediaSSRC: 2, feedbackPacketCount: UInt8(truncatingIfNeeded: datagrams.count),
                    maximumLength: maximumLength)
                let isAdded = builder.add(number, arrival: arrival)
                #expect(isAdded)
            }
            try finish(builder)

            var read: [UInt16: TimeDelta] = [:]
            for (index, datagram) in datagrams.enumerated() {
                #expect(datagram.count <= maximumLength)
                guard case .transportFeedback(let feedback) = try rtcp(datagram).first else {
                    Issue.record("no feedback")
                    return
                }
                #expect(feedback.feedbackPacketCount == UInt8(truncatingIfNeeded: index))
                let base = feedback.referenceTime(since: 0)
                feedback.forEachPacket { packet in
                    if let arrival = packet.arrival { read[packet.sequenceNumber] = base + arrival }
                }
            }
            let wrap = TransportFeedback.referenceUnit * (1 << 24)
            for (number, arrival) in arrivals {
                guard let arrival else {
                    #expect(read[number] == nil)
                    continue
                }
                let measured = try #require(read[number])
                // The reference time wraps; the remainder is what can be told.
                let error = (arrival - .zero - measured).nanoseconds % wrap.nanoseconds
                #expect(error >= 0 && error < 250_000, "number \(number)")
            }
        }
    }

    @Test("random feedback is read back, cut and flipped feedback never traps")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 15)
        for round in 0..<400 {
            let feedback = RandomRTCP.feedback(&random)
            var writer = RTCPWriter(maximumLength: 65_535)
            let isWritten = writer.append(.transportFeedback(feedback))
            #expect(isWritten)
            #expect(try rtcp(writer.bytes) == [.transportFeedback(feedback)])
            if round % 20 == 0, writer.bytes.count < 160 { mutations(of: writer.bytes, readEverything) }
        }
    }
}
