import Foundation
import PetrelCore
import PetrelMedia
import PetrelWire
import Testing

/// One media packet as the code sees it.
struct CodedPacket: Hashable {
    var sequence: UInt16
    var marker: Bool
    var payloadType: UInt8
    var timestamp: UInt32
    var payload: [UInt8]
}

extension RepairDecoder {
    func receive(_ packet: CodedPacket) {
        packet.payload.withUnsafeBytes {
            receive(
                sequenceNumber: packet.sequence, marker: packet.marker, payloadType: packet.payloadType,
                timestamp: packet.timestamp, payload: $0)
        }
    }

    func receive(repair number: UInt16, _ payload: [UInt8]) throws(DropReason) {
        let buffer = FrameBuffer(payload)
        try receive(repair: number, payload: buffer.bytes)
    }

    /// All that can be taken out now.
    func takeRecovered() -> [CodedPacket] {
        var slot = [UInt8](repeating: 0, count: 1500)
        var all: [CodedPacket] = []
        while let packet = slot.withUnsafeMutableBytes({ nextRecovered(into: $0, at: 12) }) {
            all.append(
                CodedPacket(
                    sequence: packet.sequenceNumber, marker: packet.marker, payloadType: packet.payloadType,
                    timestamp: packet.timestamp, payload: Array(slot[packet.payload])))
        }
        return all
    }
}

/// A coder of a few lines, to make repair packets of any window and any lies.
struct TestCoder {
    static func symbol(_ packet: CodedPacket, _ length: Int) -> [UInt8] {
        let (length16, time) = (UInt16(packet.payload.count), packet.timestamp)
        var symbol: [UInt8] = [UInt8(length16 >> 8), UInt8(length16 & 255)]
        symbol.append(packet.payloadType | (packet.marker ? 0x80 : 0))
        for shift in [24, 16, 8, 0] as [UInt32] { symbol.append(UInt8(truncatingIfNeeded: time >> shift)) }
        symbol += packet.payload
        symbol += [UInt8](repeating: 0, count: length - symbol.count)
        return symbol
    }

    static func repair(_ number: UInt16, _ window: ArraySlice<CodedPacket>) -> [UInt8] {
        let length = 7 + (window.map(\.payload.count).max() ?? 0)
        var sum = [UInt8](repeating: 0, count: length)
        for packet in window {
            let factor = RepairCode.coefficient(repair: number, sequence: packet.sequence)
            for (index, byte) in symbol(packet, length).enumerated() { sum[index] ^= GF256Tests.product(byte, factor) }
        }
        let base = window.first?.sequence ?? 0
        let head: [UInt8] = [0, UInt8(window.count), UInt8(base >> 8), UInt8(base & 255)]
        return head + sum
    }

    static func packets(
        _ count: Int, from first: UInt16, longest: Int = 40, random: inout RandomSource
    ) -> [CodedPacket] {
        var all: [CodedPacket] = []
        for index in 0..<count {
            let length = 1 + Int(random.next() % UInt64(longest))
            let time = 1000 + UInt32(index / 5) * 3000
            all.append(
                CodedPacket(
                    sequence: first &+ UInt16(index), marker: index % 5 == 4, payloadType: 96, timestamp: time,
                    payload: random.bytes(length)))
        }
        return all
    }
}

@Suite struct RepairDecoderTests {
    /// What Tests/Scripts/repair-code.py has computed in numpy, from the description of the code.
    struct Reference {
        var media: [CodedPacket] = []
        var repairs: [(number: UInt16, base: UInt16, count: Int, payload: [UInt8])] = []

        init() throws {
            // Tests/PetrelMediaTests/Repair/this -> Tests
            let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            let file = tests.appendingPathComponent("Scripts/repair-code.txt")
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let parts = line.split(separator: " ").map(String.init)
                let bytes = Self.bytes(try #require(parts.last))
                let numbers = parts.dropFirst().dropLast().compactMap { Int($0) }
                if parts[0] == "media" {
                    media.append(
                        CodedPacket(
                            sequence: UInt16(numbers[0]), marker: numbers[1] == 1, payloadType: UInt8(numbers[2]),
                            timestamp: UInt32(numbers[3]), payload: bytes))
                } else {
                    repairs.append((UInt16(numbers[0]), UInt16(numbers[1]), numbers[2], bytes))
                }
            }
        }

        static func bytes(_ hex: String) -> [UInt8] {
            let digits = Array(hex)
            return stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(digits[$0...($0 + 1)]), radix: 16)
            }
        }
    }

    @Test func coefficientsAndSumsAreThoseOfTheReference() throws {
        let reference = try Reference()
        #expect(reference.media.count == 24 && reference.repairs.count == 27)
        for repair in reference.repairs {
            let first = try #require(reference.media.firstIndex { $0.sequence == repair.base })
            let window = reference.media[first..<(first + repair.count)]
            #expect(TestCoder.repair(repair.number, window) == repair.payload)
        }
    }

    /// The stream that sends makes the repair packets that the reference makes.
    @Test func theSenderWritesWhatTheReferenceWrites() throws {
        let pipe = VideoPipe(repair: true, start: .init(sequence: 65_520, timestamp: 7))
        var media: [CodedPacket] = []
        for number in 0..<4 {
            for packet in pipe.packets(frame(number, bytes: 3000 + number * 500, isKeyFrame: number == 0), at: .zero) {
                media.append(try pipe.coded(packet))
            }
        }
        for count in [1, 3, media.count] {
            let end = 65_520 + Int64(media.count) - 1
            let (number, payload) = try #require(pipe.repair(end - Int64(media.count - count)))
            #expect(payload == TestCoder.repair(number, media.prefix(count)))
        }
    }

    @Test func allComesBackFromTheReferenceAlone() throws {
        let reference = try Reference()
        let decoder = RepairDecoder()
        for repair in reference.repairs where repair.count == 20 {
            try decoder.receive(repair: repair.number, repair.payload)
        }
        let recovered = decoder.takeRecovered()
        #expect(Set(recovered) == Set(reference.media.suffix(20)))
        #expect(decoder.deficit == 0)
    }

    /// Any subset: enough independent packets bring all back bit by bit, fewer bring back nothing that was not sent.
    @Test func enoughBringsBackAndFewerInventNothing() throws {
        var random = RandomSource(seed: 5)
        var solvedAtOnce = 0
        for round in 0..<60 {
            let media = TestCoder.packets(30, from: UInt16(truncatingIfNeeded: random.next()), random: &random)
            let lost = Set((0..<30).filter { _ in random.unit() < 0.4 }.map { media[$0].sequence })
            let decoder = RepairDecoder()
            for packet in media where !lost.contains(packet.sequence) { decoder.receive(packet) }
            // The first window tells what there is.
            var number = UInt16(truncatingIfNeeded: random.next())
            var recovered: [CodedPacket] = []
            var used = 0
            while recovered.count < lost.count, used < lost.count + 6 {
                do throws(DropReason) {
                    try decoder.receive(repair: number, TestCoder.repair(number, media[0...]))
                } catch { #expect(error == .repairNotNeeded) }
                number &+= 1
                used += 1
                let new = decoder.takeRecovered()
                #expect(new.allSatisfy { media.contains($0) && lost.contains($0.sequence) }, "round \(round)")
                recovered += new
                #expect(decoder.deficit == max(0, decoder.deficit))
                if used < lost.count { #expect(recovered.count < lost.count) }
            }
            let missed = lost.filter { sequence in !recovered.contains { $0.sequence == sequence } }
            #expect(missed.isEmpty, "round \(round)")
            if missed.isEmpty, used == lost.count { solvedAtOnce += 1 }
        }
        #expect(solvedAtOnce > 50)
    }

    /// A sliding window over a long stream that loses a third, around a wrap of the sequence number.
    @Test func aLongStreamIsRepaired() throws {
        var random = RandomSource(seed: 9)
        let media = TestCoder.packets(3000, from: 64_000, random: &random)
        let decoder = RepairDecoder()
        var got = Set<UInt16>()
        var number: UInt16 = 60_000
        var lost = 0
        for index in media.indices {
            if random.unit() < 0.33 {
                lost += 1
            } else {
                decoder.receive(media[index])
                got.insert(media[index].sequence)
            }
            // Three repair packets for five media packets, a third of them lost too.
            if index % 5 == 4 {
                for _ in 0..<4 {
                    number &+= 1
                    guard random.unit() > 0.33 else { continue }
                    try? decoder.receive(repair: number, TestCoder.repair(number, media[max(0, index - 39)...index]))
                }
                for packet in decoder.takeRecovered() {
                    #expect(packet == media[Int(packet.sequence &- 64_000)])
                    got.insert(packet.sequence)
                }
            }
        }
        #expect(lost > 900)
        #expect(got.count > 2950, "\(got.count)")
    }

    // MARK: What lies, floods, or comes too late

    @Test func malformedRepairIsRefused() {
        let decoder = RepairDecoder()
        #expect(throws: DropReason.repairMalformed) { try decoder.receive(repair: 1, []) }
        #expect(throws: DropReason.repairMalformed) { try decoder.receive(repair: 1, [0, 1, 0, 0, 1, 2, 3]) }
        let body = [UInt8](repeating: 7, count: 20)
        #expect(throws: DropReason.repairMalformed) { try decoder.receive(repair: 1, [1, 1, 0, 0] + body) }
        #expect(throws: DropReason.repairMalformed) { try decoder.receive(repair: 1, [0, 0, 0, 0] + body) }
        #expect(throws: DropReason.repairMalformed) { try decoder.receive(repair: 1, [0, 129, 0, 0] + body) }
        #expect(throws: DropReason.repairMalformed) {
            try decoder.receive(repair: 1, [0, 1, 0, 0] + [UInt8](repeating: 1, count: 1400))
        }
        #expect(decoder.state == nil)
    }

    @Test func repairOfPacketsLongGoneIsRefused() throws {
        var random = RandomSource(seed: 2)
        let media = TestCoder.packets(600, from: 100, random: &random)
        let decoder = RepairDecoder()
        for packet in media { decoder.receive(packet) }
        #expect(throws: DropReason.repairTooOld) { try decoder.receive(repair: 1, TestCoder.repair(1, media[0..<10])) }
        #expect(throws: DropReason.repairNotNeeded) {
            try decoder.receive(repair: 2, TestCoder.repair(2, media[590..<600]))
        }
        // Far ahead of all there is: not believed, and nothing is forgotten for it.
        #expect(throws: DropReason.repairTooOld) {
            try decoder.receive(repair: 3, [0, 8, 0x10, 0] + [1, 2, 3, 4, 5, 6, 7, 8])
        }
        #expect(decoder.state?.highest == 699)
    }

    /// Sums of nothing: what they bring back is checked by those who get it; the decoder stays sound, and honest traffic
    /// is repaired again as soon as the lies have left the window.
    @Test func liesPassAndHonestTrafficIsRepairedAgain() throws {
        var random = RandomSource(seed: 3)
        let media = TestCoder.packets(2000, from: 0, random: &random)
        let decoder = RepairDecoder()
        var number: UInt16 = 0
        var wrong = 0
        var repaired = 0
        for index in media.indices {
            let isLost = index % 3 == 1
            if !isLost { decoder.receive(media[index]) }
            let isLying = index < 1000
            // Two repair packets for one lost one, so that what the lies have left behind is made up for.
            for _ in 0..<(index % 3 == 2 ? 2 : 0) {
                number &+= 1
                var packet = TestCoder.repair(number, media[max(0, index - 20)...index])
                if isLying { packet = Array(packet.prefix(4)) + random.bytes(packet.count - 4) }
                try? decoder.receive(repair: number, packet)
            }
            for packet in decoder.takeRecovered() {
                if media[Int(packet.sequence)] != packet { wrong += 1 } else { repaired += 1 }
                if index > 1300 { #expect(media[Int(packet.sequence)] == packet) }
            }
        }
        #expect(repaired > 220, "\(repaired) \(wrong)")
    }

    /// More repair than there are places: all stays bounded, and nothing traps.
    @Test func floodsAreBounded() {
        var random = RandomSource(seed: 4)
        let decoder = RepairDecoder()
        var reasons: [DropReason: Int] = [:]
        for _ in 0..<3000 {
            let base = UInt16(truncatingIfNeeded: random.next() % 300)
            let count = UInt8(1 + random.next() % 128)
            let head: [UInt8] = [0, count, UInt8(base >> 8), UInt8(base & 255)]
            let packet = head + random.bytes(60)
            do throws(DropReason) {
                try decoder.receive(repair: UInt16(truncatingIfNeeded: random.next()), packet)
            } catch { reasons[error, default: 0] += 1 }
            _ = decoder.takeRecovered()
            #expect(decoder.deficit <= 256)
        }
        #expect((reasons[.repairFull] ?? 0) + (reasons[.repairTooOld] ?? 0) > 0, "\(reasons)")
    }

    @Test func anEquationThatContradictsIsCounted() throws {
        var random = RandomSource(seed: 6)
        let media = TestCoder.packets(10, from: 0, random: &random)
        let decoder = RepairDecoder()
        for packet in media.prefix(8) { decoder.receive(packet) }
        try decoder.receive(repair: 1, TestCoder.repair(1, media[0..<10]))
        #expect(decoder.deficit == 1)
        var lie = TestCoder.repair(1, media[0..<10])
        lie[20] ^= 1
        #expect(throws: DropReason.repairInconsistent) { try decoder.receive(repair: 1, lie) }
        // One of them lies, and nobody knows which: all are forgotten, and honest ones do it again.
        #expect(decoder.deficit == 2)
        try decoder.receive(repair: 2, TestCoder.repair(2, media[0..<10]))
        try decoder.receive(repair: 3, TestCoder.repair(3, media[0..<10]))
        #expect(Set(decoder.takeRecovered()) == Set(media.suffix(2)))
    }

    /// The deficit by place: an equation counts for its newest packet, so that all before it need one less.
    @Test func theStateTellsWhatEachFrameNeeds() throws {
        var random = RandomSource(seed: 7)
        let media = TestCoder.packets(10, from: 500, random: &random)
        let decoder = RepairDecoder()
        for index in [0, 3, 4, 9] { decoder.receive(media[index]) }
        // Nobody has said yet that the first that came is the first there is: what may lie before it is asked for.
        let asking = try #require(decoder.state)
        #expect(asking.frontier == 468 && asking.deficit == 32 + 6)
        // A repair packet of nothing but what is known is not needed, and tells where the stream begins.
        #expect(throws: DropReason.repairNotNeeded) {
            try decoder.receive(repair: 0, TestCoder.repair(0, media[0..<1]))
        }
        let before = try #require(decoder.state)
        #expect(before.frontier == 501 && before.highest == 509)
        #expect(before.deficit == 6 && before.deficit(through: 3) == 2)
        // Over the first five: one of the two that are missing there is as good as known.
        try decoder.receive(repair: 1, TestCoder.repair(1, media[0..<5]))
        let after = try #require(decoder.state)
        #expect(after.deficit == 5 && after.deficit(through: 3) == 1)
        try decoder.receive(repair: 2, TestCoder.repair(2, media[0..<5]))
        #expect(decoder.takeRecovered().count == 2)
        #expect(decoder.state?.frontier == 505)
        #expect(decoder.state?.deficit == 4)
    }
}
