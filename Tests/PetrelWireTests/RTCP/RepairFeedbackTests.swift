import PetrelCore
import PetrelWire
import Testing

@Suite struct RepairFeedbackTests {
    static func example() -> RepairFeedback {
        var state = RepairState(highest: 0x1234, frontier: 0x1200, highestRepair: 0xFFFE, repairReceived: 77)
        for index in [0, 5, 33, 52] { state.setNeeded(index) }
        return RepairFeedback(mediaSSRC: 0xDEAD_BEEF, state: state, newestPicture: 0x1ABC, earlierPictures: 0xF000_0001)
    }

    /// The layout, written out by hand from its description.
    @Test func theBytesAreThoseOfTheDescription() {
        let application = Self.example().application(from: 0x0102_0304)
        #expect(application.name == 0x5054_524C && application.subtype == 1 && application.ssrc == 0x0102_0304)
        let expected: [UInt8] = [
            0xDE, 0xAD, 0xBE, 0xEF, 0x12, 0x34, 0x12, 0x00, 0xFF, 0xFE, 0, 77, 0x9A, 0xBC, 0, 2, 0xF0, 0, 0, 1,
            0b1000_0100, 0, 0, 0, 0b0100_0000, 0, 0b0000_1000, 0,
        ]
        #expect(application.data == expected)
    }

    @Test func whatIsWrittenIsRead() throws {
        let report = Self.example()
        #expect(try RepairFeedback(report.application(from: 1)) == report)
        let empty = RepairFeedback(
            mediaSSRC: 5, state: RepairState(highest: 1, frontier: 2, highestRepair: 3, repairReceived: 4))
        #expect(try RepairFeedback(empty.application(from: 1)) == empty)
        #expect(empty.state.deficit == 0 && empty.newestPicture == nil)
    }

    @Test func deficitsAreCountedByPlace() {
        let state = Self.example().state
        #expect(state.deficit == 4)
        for (index, deficit) in [
            (-1, 0), (0, 1), (4, 1), (5, 2), (31, 2), (32, 2), (33, 3), (51, 3), (52, 4), (900, 4),
        ] {
            #expect(state.deficit(through: index) == deficit, "\(index)")
        }
        #expect(state.isNeeded(33) && !state.isNeeded(34) && !state.isNeeded(-1) && !state.isNeeded(5000))
        var full = RepairState(highest: 0, frontier: 0, highestRepair: 0, repairReceived: 0)
        for index in -5..<300 { full.setNeeded(index) }
        #expect(full.deficit == 256)
    }

    @Test func othersAreNotOursAndBadLengthsAreRefused() throws {
        var application = Self.example().application(from: 1)
        application.subtype = 2
        #expect(try RepairFeedback(application) == nil)
        application.subtype = 1
        application.name = 0
        #expect(try RepairFeedback(application) == nil)
        let good = Self.example().application(from: 1)
        for length in 0..<good.data.count {
            var short = good
            short.data = Array(good.data.prefix(length))
            #expect(throws: DropReason.rtcpMalformed) { try RepairFeedback(short) }
        }
        var long = good
        long.data[15] = 9
        long.data += [UInt8](repeating: 0xFF, count: 28)
        #expect(throws: DropReason.rtcpMalformed) { try RepairFeedback(long) }
    }

    /// Any bytes: read or refused, and what is read can be asked anything.
    @Test func anyBytesAreReadOrRefused() {
        var random = RandomSource(seed: 1)
        var read = 0
        for _ in 0..<5000 {
            var data = random.bytes(20 + Int(random.next() % 9) * 4)
            if random.next() % 2 == 0 { (data[14], data[15]) = (0, UInt8((data.count - 20) / 4)) }
            guard
                let report = try? RepairFeedback(
                    RTCPApplication(subtype: 1, ssrc: 1, name: RepairFeedback.name, data: data))
            else { continue }
            read += 1
            #expect(report.state.deficit <= 256)
            #expect(report.application(from: 1).data == data || report.newestPicture == nil)
        }
        #expect(read > 1000)
    }
}
