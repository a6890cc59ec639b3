import PetrelCore
import PetrelWire
import Testing

@Suite("RED")
struct REDTests {
    private func parse(_ bytes: [UInt8]) throws(DropReason) -> RED { try RED(parsing: bytes.span.bytes) }

    private func write(_ primary: [UInt8], _ blocks: [(Int, [UInt8])], size: Int = 200) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0xEE, count: size)
        let flat = blocks.flatMap(\.1)
        let length = buffer.withUnsafeMutableBytes { room in
            primary.withUnsafeBytes { primary in
                flat.withUnsafeBytes { flat in
                    RED.write(into: room, payloadType: 111, primary: primary, count: blocks.count) { index in
                        let start = blocks[..<index].reduce(0) { $0 + $1.1.count }
                        let end = start + blocks[index].1.count
                        return (blocks[index].0, UnsafeRawBufferPointer(rebasing: flat[start..<end]))
                    }
                }
            }
        }
        return length.map { Array(buffer[..<$0]) }
    }

    @Test("by hand from RFC 2198 section 3")
    func byHand() throws {
        // F=1, type 111, offset 960, length 3; F=0, type 111.
        let payload = hex("ef 0f0003 6f aabbcc 112233")
        let red = try parse(payload)
        #expect(red.count == 2)
        #expect(red[0].payloadType == 111 && red[0].timestampOffset == 960 && red[0].range == 5..<8)
        #expect(!red[0].isPrimary && red[1].isPrimary && red[1].range == 8..<11 && red[1].timestampOffset == 0)
        #expect(write([0x11, 0x22, 0x33], [(960, [0xAA, 0xBB, 0xCC])]) == payload)
        #expect(write([0x11], []) == hex("6f 11"))
        #expect(try parse(hex("6f")).count == 1 && parse(hex("6f"))[0].length == 0)
    }

    @Test("the greatest fields")
    func greatest() throws {
        let block = [UInt8](repeating: 7, count: 1023)
        let payload = try #require(write([1], [(16_383, block)], size: 1100))
        #expect(Array(payload[..<5]) == hex("ef ffffff 6f"))
        let red = try parse(payload)
        #expect(red[0].timestampOffset == 16_383 && red[0].length == 1023 && red[1].length == 1)
        #expect(write([1], [(16_384, [2])]) == nil)
        #expect(write([1], [(-1, [2])]) == nil)
        #expect(write([1], [(960, block + [7])], size: 1200) == nil)
        #expect(write([1, 2, 3], [(960, [2])], size: 8) == nil)
        #expect(write([1, 2], [(960, [2])], size: 8) != nil)
    }

    @Test("the vector made by an independent writer")
    func vector() throws {
        guard Vectors.folder("fec-rtx-red") != nil else { return }
        let all = try Vectors.objects("fec-rtx-red/vectors.json").first?["vectors"] as? [[String: Any]] ?? []
        var seen = 0
        for vector in all where vector["kind"] as? String == "red-rfc2198" {
            seen += 1
            let payload = hex(try #require(vector["payload"] as? String))
            let blocks = try #require(vector["blocks"] as? [[String: Any]])
            let red = try parse(payload)
            #expect(red.count == blocks.count)
            for (index, block) in blocks.enumerated() {
                #expect(Int(red[index].payloadType) == block["pt"] as? Int)
                #expect(Int(red[index].timestampOffset) == block["ts_offset"] as? Int)
                #expect(Array(payload[red[index].range]) == hex(try #require(block["data"] as? String)))
            }
            let again = blocks.dropLast().map {
                ($0["ts_offset"] as? Int ?? -1, hex($0["data"] as? String ?? ""))
            }
            #expect(write(hex(blocks.last?["data"] as? String ?? ""), again) == payload)
        }
        #expect(seen > 0)
    }

    @Test("headers that do not end, lengths that lie, too many blocks (C39)")
    func hostile() {
        #expect(throws: DropReason.payloadEmpty) { try parse([]) }
        #expect(throws: DropReason.truncated) { try parse(hex("ef")) }
        #expect(throws: DropReason.truncated) { try parse(hex("ef0f00")) }
        #expect(throws: DropReason.truncated) { try parse(hex("ef0f0003")) }
        #expect(throws: DropReason.truncated) { try parse([UInt8](repeating: 0xFF, count: 40)) }
        #expect(throws: DropReason.tooMany) { try parse([UInt8](repeating: 0xFF, count: 1200)) }
        #expect(throws: DropReason.badLength) { try parse(hex("ef0f0003 6f aabb")) }
        #expect(throws: DropReason.badLength) { try parse(hex("ef0f0002 ef078002 6f aabb cc")) }
        // Thirty-two blocks are the most.
        let most = Array(repeating: hex("ef 040000"), count: 31).flatMap { $0 } + hex("6f 01")
        #expect((try? parse(most).count) == 32)
        #expect(throws: DropReason.tooMany) { try parse(hex("ef 040000") + most) }
    }

    @Test("every prefix and every flipped bit of a good payload")
    func mutated() throws {
        let good = try #require(write([9, 8, 7, 6], [(1920, [1, 2, 3]), (960, [4, 5])]))
        mutations(of: good) { bytes in
            guard let red = try? parse(bytes) else { return }
            var end = (red.count - 1) * 4 + 1
            for index in 0..<red.count {
                #expect(red[index].range.lowerBound == end, "blocks lie behind each other")
                end = red[index].range.upperBound
            }
            #expect(end == bytes.count)
        }
    }
}
