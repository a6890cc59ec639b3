import PetrelCore
import PetrelWire
import Testing

@Suite("Opus packet")
struct OpusPacketTests {
    private func samples(_ bytes: [UInt8]) -> Int? { OpusPacket.samples(in: bytes.span.bytes) }
    private func samples(_ text: String) -> Int? { samples(hex(text)) }

    /// The frame length of each configuration in samples at 48 kHz, copied from RFC 6716 table 2.
    static let table: [Int] =
        [480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880]
        + [480, 960, 480, 960]
        + [120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960]

    @Test("one, two equal and two unequal frames in every configuration")
    func configurations() throws {
        for config in 0..<32 {
            for stereo: UInt8 in [0, 4] {
                let toc = UInt8(config) << 3 | stereo
                #expect(samples([toc, 1, 2]) == Self.table[config])
                #expect(samples([toc | 1, 1, 2]) == Self.table[config] * 2)
                #expect(samples([toc | 2, 1, 7, 8, 9]) == Self.table[config] * 2)
                let packet = try OpusPacket(parsing: [toc, 1].span.bytes)
                #expect(packet.isStereo == (stereo != 0))
                #expect(packet.mode == (config < 12 ? .silk : config < 16 ? .hybrid : .celt))
            }
        }
    }

    @Test("all 256 first bytes with 0 to 8 bytes behind them (C41): never above 120 ms, never a trap")
    func allFirstBytes() {
        for toc in UInt8.min...UInt8.max {
            for length in 0...8 {
                for fill: UInt8 in [0, 1, 2, 3, 0x41, 0x83, 0xC2, 251, 252, 255] {
                    let bytes = [toc] + [UInt8](repeating: fill, count: length)
                    if let samples = samples(bytes) {
                        #expect(samples > 0 && samples <= 5760)
                    }
                }
            }
        }
        #expect(samples([]) == nil)
    }

    @Test("code 0: a frame of no bytes is legal, of more than 1275 it is not (R2)")
    func codeZero() {
        #expect(samples([0x78]) == 960)
        #expect(samples([0x78] + [UInt8](repeating: 0, count: 1275)) == 960)
        #expect(samples([0x78] + [UInt8](repeating: 0, count: 1276)) == nil)
    }

    @Test("code 1: an odd number of bytes is not legal (R3)")
    func codeOne() {
        #expect(samples("79") == 1920)
        #expect(samples("79 01") == nil)
        #expect(samples([0x79] + [UInt8](repeating: 0, count: 2550)) == 1920)
        #expect(samples([0x79] + [UInt8](repeating: 0, count: 2552)) == nil)
    }

    @Test("code 2: the first length has to fit (R4)")
    func codeTwo() {
        #expect(samples("7a") == nil)
        #expect(samples("7a 00") == 1920)
        #expect(samples("7a 01") == nil)
        #expect(samples("7a 01 aa") == 1920)
        #expect(samples("7a fc") == nil)
        #expect(samples([0x7A, 252, 0] + [UInt8](repeating: 0, count: 252)) == 1920)
        #expect(samples([0x7A, 252, 0] + [UInt8](repeating: 0, count: 251)) == nil)
        #expect(samples([0x7A, 255, 255] + [UInt8](repeating: 0, count: 1275)) == 1920)
        #expect(samples([0x7A, 0] + [UInt8](repeating: 0, count: 1276)) == nil)
    }

    @Test("code 3: counts from 1 to 120 ms (R5)")
    func codeThreeCounts() {
        for config in 0..<32 {
            let toc = UInt8(config) << 3 | 3
            for count in 0...63 {
                let legal = count > 0 && count * Self.table[config] <= 5760
                let bytes = [toc, UInt8(count)] + [UInt8](repeating: 0, count: count)
                #expect(samples(bytes) == (legal ? count * Self.table[config] : nil))
            }
        }
        #expect(samples("83") == nil)
    }

    @Test("code 3, constant rate: the bytes divide evenly (R6)")
    func codeThreeConstant() {
        #expect(samples("7b 03 aabbcc") == 2880)
        #expect(samples("7b 03 aabb") == nil)
        #expect(samples("7b 03") == 2880)
        #expect(samples([0x7B, 2] + [UInt8](repeating: 0, count: 2552)) == nil)
    }

    @Test("code 3, variable rate: lengths fit, the last frame has the rest (R7)")
    func codeThreeVariable() {
        #expect(samples("7b 83 01 02 aa bbbb cc") == 2880)
        #expect(samples("7b 83 01 02 aa bbbb") == 2880)
        #expect(samples("7b 83 01 02 aa bb") == nil)
        #expect(samples("7b 83 01") == nil)
        #expect(samples("7b 81 aa") == 960)
        #expect(samples([0x7B, 0x82, 0] + [UInt8](repeating: 0, count: 1276)) == nil)
    }

    @Test("code 3: chains of padding")
    func padding() throws {
        #expect(samples("7b 41 02 aa 0000") == 960)
        #expect(samples("7b 41 03 0000") == nil)
        #expect(samples("7b 41") == nil)
        #expect(samples("7b 41 ff") == nil)
        let chain = hex("7b 41 ff ff 01 aa") + [UInt8](repeating: 0, count: 254 + 254 + 1)
        #expect(samples(chain) == 960)
        #expect(try OpusPacket(parsing: chain.span.bytes).paddingLength == 509)
        #expect(samples(Array(chain.dropLast(2))) == nil)
        #expect(samples([0x7B, 0x41] + [UInt8](repeating: 255, count: 1500)) == nil)
        // Padding counts before the lengths of variable frames, and lies behind the last of them.
        #expect(samples("7b c2 01 01 aa bb 00") == 1920)
    }

    @Test("the corpus opus-generated: as many samples as the reference decoder made")
    func corpus() throws {
        guard let items = try Vectors.objects("opus-generated/index.json").first?["items"] as? [[String: Any]] else {
            return
        }
        let files = Dictionary(uniqueKeysWithValues: try Vectors.files("opus-generated").map { ($0.name, $0.bytes) })
        var packets = 0
        for item in items {
            let name = try #require(item["file"] as? String)
            let bytes = try #require(files[name])
            let decoded = item["decoded_samples_per_packet"] as? Int
            var offset = 0
            while offset + 2 <= bytes.count {
                let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
                let packet = Array(bytes[(offset + 2)..<(offset + 2 + length)])
                if !packet.isEmpty {
                    #expect(samples(packet) == decoded, "\(name)")
                    packets += 1
                }
                offset += 2 + length
            }
        }
        print("opus-generated: \(packets) packets")
        #expect(packets > 100)
    }
}
