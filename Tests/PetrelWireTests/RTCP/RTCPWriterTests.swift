import PetrelCore
import PetrelWire
import Testing

@Suite("RTCP writer")
struct RTCPWriterTests {
    private func write(_ packets: [RTCPPacket], maximumLength: Int = 65_535) -> [UInt8]? {
        var writer = RTCPWriter(maximumLength: maximumLength)
        for packet in packets {
            guard writer.append(packet) else { return nil }
        }
        return writer.bytes
    }

    @Test("exact bytes")
    func exactBytes() {
        let cases: [(RTCPPacket, String)] = [
            (
                .receiverReport(
                    RTCPReceiverReport(
                        ssrc: 1,
                        reports: [
                            RTCPReportBlock(
                                ssrc: 2, fractionLost: 3, cumulativeLost: -1, extendedHighestSequenceNumber: 4,
                                jitter: 5, lastSenderReport: 6, delaySinceLastSenderReport: 7)
                        ])), "81c90007 00000001 00000002 03ffffff 00000004 00000005 00000006 00000007"
            ),
            (
                .sourceDescription(RTCPSourceDescription(chunks: [.init(ssrc: 1, cname: "abcd", mid: "v")])),
                "81ca0004 00000001 01046162 63640f01 76000000"
            ),
            // A terminator of its own word where the items end on one.
            (
                .sourceDescription(RTCPSourceDescription(chunks: [.init(ssrc: 1, cname: "ab")])),
                "81ca0003 00000001 01026162 00000000"
            ),
            (.bye(RTCPBye(sources: [1], reason: "ok")), "81cb0002 00000001 026f6b00"),
            (.bye(RTCPBye(sources: [1, 2])), "82cb0002 00000001 00000002"),
            (
                .nack(RTCPNack(senderSSRC: 1, mediaSSRC: 2, sequenceNumbers: [65_535, 0, 15, 16, 17])),
                "81cd0004 00000001 00000002 ffff8001 00100001"
            ),
            (.pictureLoss(RTCPPictureLoss(senderSSRC: 1, mediaSSRC: 2)), "81ce0002 00000001 00000002"),
            (
                .fullIntraRequest(
                    RTCPFullIntraRequest(senderSSRC: 1, entries: [.init(ssrc: 2, sequenceNumber: 9)])),
                "84ce0004 00000001 00000000 00000002 09000000"
            ),
            (
                .receiverEstimate(
                    RTCPReceiverEstimate(senderSSRC: 1, rate: DataRate(bitsPerSecond: 1_000_000), sources: [9])),
                // 1,000,000 = 250,000 << 2
                "8fce0005 00000001 00000000 52454d42 010bd090 00000009"
            ),
        ]
        for (packet, text) in cases { #expect(write([packet]) == hex(text), "\(packet)") }
    }

    @Test("what cannot be said is refused, and the compound is left as it was")
    func refused() {
        var writer = RTCPWriter()
        let start = writer.append(.bye(RTCPBye(sources: [1])))
        #expect(start)
        let before = writer.bytes
        let long = String(repeating: "x", count: 256)
        let packets: [RTCPPacket] = [
            .receiverReport(RTCPReceiverReport(ssrc: 1, reports: (0..<32).map { RTCPReportBlock(ssrc: $0) })),
            .senderReport(
                RTCPSenderReport(
                    ssrc: 1, ntpTime: NTPTime(bits: 0), rtpTimestamp: 0, packetCount: 0, octetCount: 0,
                    reports: (0..<32).map { RTCPReportBlock(ssrc: $0) })),
            .sourceDescription(RTCPSourceDescription(chunks: [.init(ssrc: 1, cname: long)])),
            .sourceDescription(RTCPSourceDescription(chunks: [.init(ssrc: 1, cname: "a", mid: long)])),
            .sourceDescription(RTCPSourceDescription(chunks: (0..<32).map { .init(ssrc: $0) })),
            .bye(RTCPBye(sources: Array(repeating: 1, count: 32))),
            .bye(RTCPBye(sources: [1], reason: long)),
            .application(RTCPApplication(subtype: 0, ssrc: 1, name: 1, data: [1])),
            .nack(RTCPNack(senderSSRC: 1, mediaSSRC: 1, sequenceNumbers: [])),
            .nack(RTCPNack(senderSSRC: 1, mediaSSRC: 1, sequenceNumbers: (0..<1024).map { $0 * 20 })),
            .fullIntraRequest(RTCPFullIntraRequest(senderSSRC: 1, entries: [])),
            .receiverEstimate(
                RTCPReceiverEstimate(senderSSRC: 1, rate: .zero, sources: Array(repeating: 1, count: 256))),
            .unknown(packetType: 210, format: 0),
        ]
        for packet in packets {
            let isWritten = writer.append(packet)
            #expect(!isWritten, "\(packet)")
            #expect(writer.bytes == before)
        }
        writer.removeAll()
        #expect(writer.isEmpty)
    }

    @Test("never longer than told; copied into a buffer that holds it")
    func limits() {
        var writer = RTCPWriter(maximumLength: 20)
        let first = writer.append(.pictureLoss(RTCPPictureLoss(senderSSRC: 1, mediaSSRC: 2)))
        let second = writer.append(.pictureLoss(RTCPPictureLoss(senderSSRC: 1, mediaSSRC: 2)))
        let third = writer.append(.bye(RTCPBye(sources: [1])))
        #expect(first && !second && third)
        #expect(writer.bytes.count == 20)
        var buffer = [UInt8](repeating: 0, count: 24)
        let length = buffer.withUnsafeMutableBytes { writer.copy(into: $0) }
        #expect(length == 20)
        #expect(Array(buffer[..<20]) == writer.bytes)
        #expect(buffer.withUnsafeMutableBytes { writer.copy(into: .init(rebasing: $0[..<19])) } == nil)
    }

    @Test("random compounds are read back as they were written")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 3550)
        for _ in 0..<2000 {
            let packets = (0..<Int.random(in: 1...5, using: &random)).map { _ in RandomRTCP.packet(&random) }
            let bytes = try #require(write(packets))
            #expect(bytes.count % 4 == 0)
            #expect(try rtcp(bytes) == packets)
        }
    }

    @Test("cut and flipped compounds never trap, and what is still read can be written and read again")
    func hostile() {
        var random = SeededGenerator(seed: 48)
        for _ in 0..<6 {
            let packets = (0..<8).map { RandomRTCP.packet(&random, kind: $0, maximumStatuses: 50) }
            guard let bytes = write(packets) else { continue }
            mutations(of: bytes) { bytes in
                readEverything(bytes)
                expectStable(bytes)
            }
        }
        for _ in 0..<3000 {
            let packets = (0..<2).map { _ in RandomRTCP.packet(&random, maximumStatuses: 200) }
            var bytes = write(packets) ?? []
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            expectStable(bytes)
        }
    }

    private func expectStable(_ bytes: [UInt8]) {
        guard let packets = try? rtcp(bytes) else { return }
        for packet in packets {
            if case .unknown = packet { continue }
            // A saturated estimate has no exact form on the wire.
            if case .receiverEstimate(let estimate) = packet, estimate.rate.bitsPerSecond == .max { continue }
            guard let again = write([packet]) else {
                Issue.record("cannot be written: \(packet)")
                continue
            }
            if (try? rtcp(again)) != [packet] { Issue.record("reads differently: \(packet)") }
        }
    }
}

/// Random packets for round trips.
enum RandomRTCP {
    static func packet(_ random: inout SeededGenerator, kind: Int? = nil, maximumStatuses: Int = 16_000) -> RTCPPacket {
        func word() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }
        func text() -> String? {
            let letters = Array("abc{}-0 öß☃")
            let length = Int.random(in: -1...20, using: &random)
            return length < 0 ? nil : String((0..<length).map { _ in letters.randomElement(using: &random) ?? "a" })
        }
        func words(_ range: ClosedRange<Int>) -> [UInt32] {
            (0..<Int.random(in: range, using: &random)).map { _ in word() }
        }
        func blocks() -> [RTCPReportBlock] {
            words(0...4).map {
                RTCPReportBlock(
                    ssrc: $0, fractionLost: UInt8(truncatingIfNeeded: word()),
                    cumulativeLost: Int32(bitPattern: word()) >> 8, extendedHighestSequenceNumber: word(),
                    jitter: word(), lastSenderReport: word(), delaySinceLastSenderReport: word())
            }
        }
        switch kind ?? Int.random(in: 0...9, using: &random) {
        case 0:
            return .senderReport(
                RTCPSenderReport(
                    ssrc: word(), ntpTime: NTPTime(bits: random.next()), rtpTimestamp: word(), packetCount: word(),
                    octetCount: word(), reports: blocks()))
        case 1: return .receiverReport(RTCPReceiverReport(ssrc: word(), reports: blocks()))
        case 2:
            return .sourceDescription(
                RTCPSourceDescription(chunks: words(0...3).map { .init(ssrc: $0, cname: text(), mid: text()) }))
        case 3: return .bye(RTCPBye(sources: words(0...5), reason: text()))
        case 4:
            var number = UInt16(truncatingIfNeeded: word())
            let numbers = (0..<Int.random(in: 1...60, using: &random)).map { _ in
                number &+= UInt16.random(in: 1...(Bool.random(using: &random) ? 3 : 30), using: &random)
                return number
            }
            return .nack(RTCPNack(senderSSRC: word(), mediaSSRC: word(), sequenceNumbers: numbers))
        case 5:
            return .fullIntraRequest(
                RTCPFullIntraRequest(
                    senderSSRC: word(),
                    entries: words(1...4).map { .init(ssrc: $0, sequenceNumber: UInt8(truncatingIfNeeded: $0)) }))
        case 6:
            let mantissa = Int64.random(in: 0...0x3FFFF, using: &random)
            return .receiverEstimate(
                RTCPReceiverEstimate(
                    senderSSRC: word(),
                    rate: DataRate(bitsPerSecond: mantissa << Int64.random(in: 0...45, using: &random)),
                    sources: words(0...4)))
        case 7: return .transportFeedback(feedback(&random, maximumStatuses: maximumStatuses))
        case 8: return .pictureLoss(RTCPPictureLoss(senderSSRC: word(), mediaSSRC: word()))
        default:
            return .application(
                RTCPApplication(
                    subtype: UInt8(truncatingIfNeeded: word()) & 31, ssrc: word(), name: word(),
                    data: words(0...3).flatMap { [UInt8(truncatingIfNeeded: $0), 1, 2, 3] }))
        }
    }

    /// Feedback of runs and mixtures, so that every kind of chunk occurs.
    static func feedback(_ random: inout SeededGenerator, maximumStatuses: Int = 16_000) -> TransportFeedback {
        var statuses: [TransportFeedback.Status] = []
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            let style = Int.random(in: 0...4, using: &random)
            for _ in 0..<Int.random(in: 1...(style == 0 ? 9000 : 40), using: &random) {
                switch style {
                case 0: statuses.append(.notReceived)
                case 1: statuses.append(.received(delta: Int16.random(in: 0...255, using: &random)))
                case 2:
                    statuses.append(
                        Bool.random(using: &random)
                            ? .notReceived : .received(delta: Int16.random(in: 0...255, using: &random)))
                default:
                    statuses.append(
                        Int.random(in: 0...3, using: &random) == 0
                            ? .notReceived : .received(delta: Int16.random(in: -500...500, using: &random)))
                }
            }
        }
        statuses.removeLast(max(0, statuses.count - maximumStatuses))
        return TransportFeedback(
            senderSSRC: UInt32(truncatingIfNeeded: random.next()),
            mediaSSRC: UInt32(truncatingIfNeeded: random.next()),
            baseSequenceNumber: UInt16(truncatingIfNeeded: random.next()),
            referenceTime: Int32(truncatingIfNeeded: random.next()) >> 8,
            feedbackPacketCount: UInt8(truncatingIfNeeded: random.next()), statuses: statuses)
    }
}
