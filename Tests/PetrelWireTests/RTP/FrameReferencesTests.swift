import PetrelCore
import PetrelWire
import Testing

@Suite struct FrameReferencesTests {
    @Test("What is written is read back; nonsense is ignored alone")
    func roundTrip() throws {
        let map = RTPExtensionMap(frameReferences: 6)
        for distances in [[], [1], [255], [1, 7], [3, 2, 200]] {
            var references = FrameReferences()
            for distance in distances {
                let isTaken = references.add(distance: distance)
                #expect(isTaken)
            }
            var offsets = RTPExtensionOffsets()
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
            defer { memory.deallocate() }
            let length = try #require(
                RTPHeader.write(
                    into: memory, marker: true, payloadType: 96, sequenceNumber: 1, timestamp: 2, ssrc: 3,
                    extensions: RTPExtensions(frameReferences: references), map: map, offsets: &offsets))
            let packet = UnsafeRawBufferPointer(rebasing: memory[..<length]).bytes
            let header = try RTPHeader(parsing: packet)
            #expect(RTPExtensions(reading: packet, header: header, map: map).frameReferences == references)
        }
        var full = FrameReferences()
        for (distance, taken) in [
            (0, false), (256, false), (-1, false), (5, true), (5, true), (6, true), (7, true), (8, false),
        ] {
            let isTaken = full.add(distance: distance)
            #expect(isTaken == taken)
        }
        #expect(full.count == 3)
    }

    @Test("The decoded frames are those of a set of numbers, across the wrap of the picture id")
    func decodedFrames() {
        var random = RandomSource(seed: 9)
        var frames = DecodedFrames()
        var model: Set<Int> = []
        var newest = 32_700
        for _ in 0..<3000 {
            let step = random.next() % 40 == 0 ? Int(random.next() % 400) + 1 : Int(random.next() % 3) + 1
            newest += step
            frames.insert(UInt16(newest & 0x7FFF))
            model.insert(newest)
            let id = newest + Int(random.next() % 20)
            for distance in [1, 2, Int(random.next() % 255) + 1] {
                var references = FrameReferences()
                references.add(distance: distance)
                guard newest - (id - distance) <= 256 else { continue }
                #expect(frames.contains(references, of: UInt16(id & 0x7FFF)) == model.contains(id - distance))
            }
            for bit in 0..<64 { #expect((frames.earlier >> UInt64(bit) & 1 == 1) == model.contains(newest - 1 - bit)) }
        }
        // Older than the newest: not noted.
        let before = frames
        frames.insert(UInt16((newest - 3) & 0x7FFF))
        #expect(frames == before)
    }

    @Test("An acknowledgement is read back; short, foreign and other APP packets are not one")
    func acknowledgement() throws {
        let said = FrameAcknowledgement(mediaSSRC: 0xDEAD_BEEF, newest: 0x7FFE, earlier: 0x8000_0000_0000_0001)
        let packet = said.application(senderSSRC: 7)
        #expect(FrameAcknowledgement(packet) == said)
        for count in 0..<16 {
            var short = packet
            short.data = Array(packet.data.prefix(count))
            #expect(FrameAcknowledgement(short) == nil)
        }
        var other = packet
        other.subtype = 3
        #expect(FrameAcknowledgement(other) == nil)
        other = packet
        other.name = 1
        #expect(FrameAcknowledgement(other) == nil)
        var writer = RTCPWriter()
        let isWritten = writer.append(.application(packet))
        #expect(isWritten)
    }
}
