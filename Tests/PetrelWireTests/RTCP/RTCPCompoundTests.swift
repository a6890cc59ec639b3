import PetrelCore
import PetrelWire
import Testing

@Suite("RTCP compound")
struct RTCPCompoundTests {
    private func reason(_ text: String) -> DropReason? {
        if case .failure(let reason) = outcome({ () throws(DropReason) in try rtcp(hex(text)) }) { return reason }
        return nil
    }

    @Test("sender report with a block, by hand from RFC 3550 section 6.4.1")
    func senderReport() throws {
        let packets = try rtcp(
            hex(
                "81c8000c 00000001 0102030405060708 00000009 0000000a 0000000b"
                    + "00000002 40fffffe 00010064 00000005 abcd1234 00010000"))
        let block = RTCPReportBlock(
            ssrc: 2, fractionLost: 64, cumulativeLost: -2, extendedHighestSequenceNumber: 0x10064, jitter: 5,
            lastSenderReport: 0xABCD_1234, delaySinceLastSenderReport: 0x10000)
        #expect(
            packets == [
                .senderReport(
                    RTCPSenderReport(
                        ssrc: 1, ntpTime: NTPTime(bits: 0x0102_0304_0506_0708), rtpTimestamp: 9, packetCount: 10,
                        octetCount: 11, reports: [block]))
            ])
    }

    @Test("cumulative loss has 24 bits and a sign (C53)")
    func cumulativeLost() throws {
        for (text, value) in [("000000", 0), ("7fffff", 0x7F_FFFF), ("800000", -0x80_0000), ("ffffff", -1)] {
            let packets = try rtcp(hex("81c90007 00000001 00000002 ff\(text)" + String(repeating: "ff", count: 16)))
            guard case .receiverReport(let report) = packets.first else {
                Issue.record("no receiver report")
                return
            }
            #expect(report.reports.first?.cumulativeLost == Int32(value))
            #expect(report.reports.first?.fractionLost == 255)
        }
        #expect(RTCPReportBlock(ssrc: 1, cumulativeLost: .max).cumulativeLost == 0x7F_FFFF)
        #expect(RTCPReportBlock(ssrc: 1, cumulativeLost: .min).cumulativeLost == -0x80_0000)
    }

    @Test("round-trip time: the example of RFC 3550 figure 2, and absurd values (C53)")
    func roundTripTime() {
        // A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000, round trip 0x0006:2000.
        let arrival = NTPTime(bits: 0x0000_B710_8000_0000)
        var block = RTCPReportBlock(ssrc: 1, lastSenderReport: 0xB705_2000, delaySinceLastSenderReport: 0x0005_4000)
        #expect(block.roundTripTime(at: arrival) == .milliseconds(6125))
        // 3 units before A - LSR - DLSR is zero, 4 are not.
        #expect(block.roundTripTime(at: NTPTime(bits: 0x0000_B70A_5FFD_0000)) == .zero)
        #expect(block.roundTripTime(at: NTPTime(bits: 0x0000_B70A_5FFC_0000)) == nil)
        for bits in [UInt64(0), 1, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000] {
            for sample: UInt32 in [1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] {
                block.lastSenderReport = sample
                block.delaySinceLastSenderReport = ~sample
                if let time = block.roundTripTime(at: NTPTime(bits: bits)) {
                    #expect(time >= .zero && time < .seconds(64))
                }
            }
        }
        block.lastSenderReport = 0
        #expect(block.roundTripTime(at: arrival) == nil)
    }

    @Test("feedback messages, by hand")
    func feedback() throws {
        #expect(
            try rtcp(hex("81cd0003 00000001 00000002 fffe8005")) == [
                .nack(
                    RTCPNack(senderSSRC: 1, mediaSSRC: 2, sequenceNumbers: [0xFFFE, 0xFFFF, 0x0001, 0x000E]))
            ])
        #expect(
            try rtcp(hex("81ce0002 00000001 00000002")) == [
                .pictureLoss(RTCPPictureLoss(senderSSRC: 1, mediaSSRC: 2))
            ])
        #expect(
            try rtcp(hex("84ce0006 00000001 00000000 00000002 07000000 00000003 ff000000")) == [
                .fullIntraRequest(
                    RTCPFullIntraRequest(
                        senderSSRC: 1,
                        entries: [.init(ssrc: 2, sequenceNumber: 7), .init(ssrc: 3, sequenceNumber: 255)]))
            ])
        // 1 source, exponent 3, mantissa 0x20001: 131,073 * 8 bit/s
        #expect(
            try rtcp(hex("8fce0005 00000001 00000000 52454d42 010e0001 00000009")) == [
                .receiverEstimate(
                    RTCPReceiverEstimate(
                        senderSSRC: 1, rate: DataRate(bitsPerSecond: 1_048_584), sources: [9]))
            ])
    }

    @Test("SDES, BYE and APP, by hand")
    func descriptions() throws {
        #expect(
            try rtcp(hex("82ca0005 00000001 01026162 0f013000 00000002 02017800")) == [
                .sourceDescription(
                    RTCPSourceDescription(chunks: [.init(ssrc: 1, cname: "ab", mid: "0"), .init(ssrc: 2)]))
            ])
        // Text that is not UTF-8 is no text.
        #expect(
            try rtcp(hex("81ca0002 00000001 0101ff00")) == [
                .sourceDescription(RTCPSourceDescription(chunks: [.init(ssrc: 1)]))
            ])
        #expect(
            try rtcp(hex("82cb0003 00000001 00000002 03627965")) == [.bye(RTCPBye(sources: [1, 2], reason: "bye"))])
        #expect(try rtcp(hex("80cb0000")) == [.bye(RTCPBye(sources: []))])
        #expect(
            try rtcp(hex("85cc0003 00000001 61626364 01020304")) == [
                .application(
                    RTCPApplication(subtype: 5, ssrc: 1, name: 0x6162_6364, data: [1, 2, 3, 4]))
            ])
    }

    @Test("a malformed packet rejects the compound (C48)")
    func malformed() {
        let cases: [(String, DropReason)] = [
            ("", .truncated),
            ("80c900", .truncated),
            ("80c90001 00000001 12c382", .truncated),
            ("00c90001 00000001", .badVersion),
            ("c0c90001 00000001", .badVersion),
            ("80c90001 00000001 40c90001 00000001", .badVersion),
            ("80c90002 00000001", .badLength),
            ("80c9ffff 00000001", .badLength),
            ("80c90000", .rtcpMalformed),
            ("81c90001 00000001", .rtcpMalformed),
            ("9fc90007 00000001" + String(repeating: "00", count: 24), .rtcpMalformed),
            ("80c80000", .rtcpMalformed),
            ("80c80005 " + String(repeating: "00", count: 20), .rtcpMalformed),
            ("81ca0000", .rtcpMalformed),
            ("81ca0001 00000001", .rtcpMalformed),
            ("81ca0002 00000001 01026162", .rtcpMalformed),
            ("81ca0002 00000001 01ff6162", .rtcpMalformed),
            ("82ca0002 00000001 00000000", .rtcpMalformed),
            ("81cb0000", .rtcpMalformed),
            ("9fcb0001 00000001", .rtcpMalformed),
            ("81cb0002 00000001 04627965", .rtcpMalformed),
            ("80cc0001 00000001", .rtcpMalformed),
            ("80cc0000", .rtcpMalformed),
            ("81cd0002 00000001 00000002", .rtcpMalformed),
            ("81cd0001 00000001", .rtcpMalformed),
            ("83cd0000", .rtcpMalformed),
            ("81ce0001 00000001", .rtcpMalformed),
            ("83ce0001 00000001", .rtcpMalformed),
            ("84ce0002 00000001 00000000", .rtcpMalformed),
            ("84ce0003 00000001 00000000 00000002", .rtcpMalformed),
            ("8fce0003 00000001 00000000 52454d42", .rtcpMalformed),
            ("8fce0004 00000001 00000000 52454d42 01000001", .rtcpMalformed),
            ("8fce0004 00000001 00000000 52454d42 ff000001", .rtcpMalformed),
            ("8fce0005 00000001 00000000 52454d42 00000001 00000002", .rtcpMalformed),
            ("80cf0000", .rtcpMalformed),
            ("80cf0002 00000001 04000001", .rtcpMalformed),
            ("80cf0002 00000001 0400ffff", .rtcpMalformed),
            // Padding: none where promised, more than there is, no multiple of four, not in the last packet.
            ("a0c90002 00000001 00000000", .rtcpMalformed),
            ("a0c90002 00000001 0000000c", .rtcpMalformed),
            ("a0c90002 00000001 000000ff", .rtcpMalformed),
            ("a0c90002 00000001 00000003", .rtcpMalformed),
            ("a0c90002 00000001 00000004 80c90001 00000001", .rtcpMalformed),
        ]
        for (text, expected) in cases {
            #expect(reason(text) == expected, "\(text)")
            // Behind a good packet too, and nothing of that one is used.
            if text.count > 12 { #expect(reason("80c90001 00000001" + text) != nil, "\(text)") }
        }
        #expect(reason(String(repeating: "80cb0000", count: 256)) == nil)
        #expect(reason(String(repeating: "80cb0000", count: 257)) == .tooMany)
    }

    @Test("legal oddities are taken")
    func oddities() throws {
        // Padding of the last packet.
        #expect(try rtcp(hex("a0c90002 00000001 00000004")) == [.receiverReport(RTCPReceiverReport(ssrc: 1))])
        // A profile's extension behind the blocks.
        #expect(try rtcp(hex("80c90002 00000001 deadbeef")) == [.receiverReport(RTCPReceiverReport(ssrc: 1))])
        // Zeros behind the terminator of a chunk belong to it up to a multiple of four.
        #expect(
            try rtcp(hex("81ca0003 00000001 01016100 00000000")) == [
                .sourceDescription(RTCPSourceDescription(chunks: [.init(ssrc: 1, cname: "a")]))
            ])
        // An extended report whose blocks fit, an unknown type, unknown formats: skipped, what follows is used.
        let bye = RTCPPacket.bye(RTCPBye(sources: [7]))
        for (text, type, format) in [
            ("80cf0003 00000001 04000001 00000000", 207, 0), ("81d20001 00000001", 210, 1),
            ("83cd0002 00000001 00000002", 205, 3), ("82ce0002 00000001 00000002", 206, 2),
            ("8fce0002 00000001 00000002", 206, 15), ("8fce0003 00000001 00000002 01020304", 206, 15),
        ] {
            #expect(
                try rtcp(hex(text + "81cb0001 00000007")) == [
                    .unknown(packetType: UInt8(type), format: UInt8(format)), bye,
                ])
        }
    }

    @Test("REMB saturates (C50)")
    func estimateSaturates() throws {
        func rate(_ word: String) throws -> Int64? {
            guard
                case .receiverEstimate(let estimate) = try rtcp(
                    hex("8fce0004 00000001 00000000 52454d42" + word)
                ).first
            else { return nil }
            return estimate.rate.bitsPerSecond
        }
        #expect(try rate("00ffffff") == .max)
        #expect(try rate("00fc0000") == 0)
        #expect(try rate("00000000") == 0)
        #expect(try rate("00000001") == 1)
        #expect(try rate("00fc0001") == .max)
        #expect(try rate("00f80001") == 1 << 62)
        #expect(try rate("00b7ffff") == 0x3FFFF << 45)
        #expect(try rate("00bbffff") == .max)
    }

    @Test("a NACK of 17 x 300 numbers is bounded (C51)")
    func nackBounded() throws {
        let bytes = hex("81cd012e 00000001 00000002") + Array(repeating: hex("a531ffff"), count: 300).flatMap { $0 }
        guard case .nack(let nack) = try rtcp(bytes).first else {
            Issue.record("no NACK")
            return
        }
        #expect(nack.sequenceNumbers.count == RTCPNack.maximumSequenceNumbers)
        #expect(nack.sequenceNumbers.prefix(17) == ArraySlice((0xA531...0xA541).map { UInt16($0) }))
    }
}
