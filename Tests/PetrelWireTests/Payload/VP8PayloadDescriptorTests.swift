import PetrelCore
import PetrelWire
import Testing

@Suite("VP8 payload descriptor")
struct VP8PayloadDescriptorTests {
    private func parse(_ text: String) throws(DropReason) -> (descriptor: VP8PayloadDescriptor, length: Int) {
        try VP8PayloadDescriptor.parse(hex(text).span.bytes)
    }

    @Test("the examples of RFC 7741 section 4.2, by hand")
    func byHand() throws {
        var (descriptor, length) = try parse("10 aa")
        #expect(length == 1)
        #expect(descriptor.startsFrame)
        #expect(descriptor == VP8PayloadDescriptor(startsPartition: true))

        (descriptor, length) = try parse("b2 f0 9234 55 e7 aa")
        #expect(length == 6)
        #expect(descriptor.isNonReference)
        #expect(descriptor.startsPartition)
        #expect(descriptor.partitionIndex == 2)
        #expect(!descriptor.startsFrame)
        #expect(descriptor.pictureID == 0x1234)
        #expect(descriptor.hasLongPictureID)
        #expect(descriptor.temporalLayerZeroIndex == 0x55)
        #expect(descriptor.temporalLayer == 3)
        #expect(descriptor.isLayerSync)
        #expect(descriptor.keyIndex == 7)

        (descriptor, length) = try parse("90 80 7f aa")
        #expect(length == 3)
        #expect(descriptor.pictureID == 127)
        #expect(!descriptor.hasLongPictureID)

        // Only K: the bits of TID and Y in the shared byte mean nothing.
        (descriptor, length) = try parse("90 10 e5 aa")
        #expect(length == 3)
        #expect(descriptor.temporalLayer == nil)
        #expect(!descriptor.isLayerSync)
        #expect(descriptor.keyIndex == 5)
    }

    @Test("all first bytes and flags, whole and cut at every byte (C40)")
    func everyFirstByte() {
        // Counted rather than expected one by one: there are a million of them.
        var wrong: [String] = []
        for first in UInt8.min...UInt8.max {
            for flags in UInt8.min...UInt8.max {
                for picture: [UInt8] in [[0x05], [0x85, 0x06]] {
                    var bytes = [first]
                    if first & 0x80 != 0 {
                        bytes.append(flags)
                        if flags & 0x80 != 0 { bytes += picture }
                        if flags & 0x40 != 0 { bytes.append(0x77) }
                        if flags & 0x30 != 0 { bytes.append(0xFF) }
                    }
                    let length = bytes.count
                    bytes.append(0x01)
                    for cut in 0...bytes.count {
                        let prefix = Array(bytes[..<cut])
                        let result = outcome { () throws(DropReason) in
                            try VP8PayloadDescriptor.parse(prefix.span.bytes)
                        }
                        switch result {
                        case .success(let (descriptor, read)):
                            if cut != bytes.count || read != length || descriptor.startsPartition != (first & 0x10 != 0)
                                || descriptor.partitionIndex != first & 7
                            {
                                wrong.append("\(prefix)")
                            }
                        case .failure(let reason):
                            let expected: DropReason = cut == 0 || cut == length ? .payloadEmpty : .payloadMalformed
                            if cut == bytes.count || reason != expected { wrong.append("\(prefix): \(reason)") }
                        }
                    }
                }
            }
        }
        #expect(wrong.isEmpty)
    }

    @Test("exact bytes")
    func writing() {
        let cases: [(VP8PayloadDescriptor, String)] = [
            (VP8PayloadDescriptor(startsPartition: true), "10"),
            (VP8PayloadDescriptor(startsPartition: false, isNonReference: true), "20"),
            (VP8PayloadDescriptor(startsPartition: true, pictureID: 5), "90 80 8005"),
            (VP8PayloadDescriptor(startsPartition: true, pictureID: 5, hasLongPictureID: false), "90 80 05"),
            (VP8PayloadDescriptor(startsPartition: false, pictureID: 0x7FFF), "80 80 ffff"),
            (
                VP8PayloadDescriptor(
                    startsPartition: true, pictureID: 1, temporalLayerZeroIndex: 9, temporalLayer: 2,
                    isLayerSync: true, keyIndex: 3), "90 f0 8001 09 a3"
            ),
        ]
        for (descriptor, text) in cases {
            var buffer = [UInt8](repeating: 0xEE, count: VP8PayloadDescriptor.maximumLength)
            let length = buffer.withUnsafeMutableBytes { descriptor.write(into: $0) }
            #expect(length == descriptor.length)
            #expect(Array(buffer[..<descriptor.length]) == hex(text))
            let short = buffer.withUnsafeMutableBytes {
                descriptor.write(into: .init(rebasing: $0[..<(descriptor.length - 1)]))
            }
            #expect(short == nil)
        }
    }

    @Test("what is written is read back")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 7741)
        for _ in 0..<3000 {
            func maybe<Value>(_ value: Value) -> Value? { Bool.random(using: &random) ? value : nil }
            let long = Bool.random(using: &random)
            let layer = maybe(UInt8.random(in: 0...3, using: &random))
            let descriptor = VP8PayloadDescriptor(
                startsPartition: .random(using: &random), partitionIndex: .random(in: 0...7, using: &random),
                isNonReference: .random(using: &random),
                pictureID: maybe(.random(in: 0...(long ? 0x7FFF : 0x7F), using: &random)), hasLongPictureID: long,
                temporalLayerZeroIndex: maybe(.random(in: 0...255, using: &random)), temporalLayer: layer,
                isLayerSync: layer != nil && .random(using: &random),
                keyIndex: maybe(.random(in: 0...31, using: &random)))
            var buffer = [UInt8](repeating: 0, count: 7)
            let length = buffer.withUnsafeMutableBytes { descriptor.write(into: $0) } ?? 0
            let read = try VP8PayloadDescriptor.parse(Array(buffer[...length]).span.bytes)
            #expect(read.descriptor == descriptor)
            #expect(read.length == length)
        }
    }
}
