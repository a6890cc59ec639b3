import Foundation
import PetrelCore
import PetrelWire
import Testing

@Suite struct FECTests {
    /// Makes the payload of a parity packet as a sender does.
    private func encode(_ sources: [[UInt8]], _ header: FECHeader) -> [UInt8] {
        var header = header
        let longest = sources.map { $0.count - 12 }.max() ?? 0
        header.protectionLength = longest
        var body = [UInt8](repeating: 0, count: longest)
        for source in sources {
            source.withUnsafeBytes { source in
                body.withUnsafeMutableBytes { body in
                    let fits = FECCombination.add(source, to: &header, body: body)
                    #expect(fits)
                }
            }
        }
        var bytes = [UInt8](repeating: 0, count: FECHeader.maximumLength)
        let length = bytes.withUnsafeMutableBytes { header.write(into: $0) } ?? 0
        return Array(bytes[..<length]) + body
    }

    private func recover(_ payload: [UInt8], _ format: FECFormat, without missing: [UInt8], _ sources: [[UInt8]]) throws
        -> [UInt8]
    {
        var (header, offset) = try FECHeader.parse(payload.span.bytes, format: format)
        var packet = [UInt8](repeating: 0, count: 12) + Array(payload[offset..<(offset + header.protectionLength)])
        let expected = UInt16(missing[2]) << 8 | UInt16(missing[3])
        let ssrc = missing[8...11].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let length = try packet.withUnsafeMutableBytes { packet in
            for source in sources {
                let fits = source.withUnsafeBytes {
                    FECCombination.add(
                        $0, to: &header, body: UnsafeMutableRawBufferPointer(rebasing: packet[12...]))
                }
                #expect(fits)
            }
            return try FECCombination.finish(header, sequenceNumber: expected, ssrc: ssrc, packet: packet)
        }
        return Array(packet[..<length])
    }

    @Test("the corpus fec-rtx-red: the same bytes out, and the lost packet back")
    func corpus() throws {
        guard let list = try Vectors.objects("fec-rtx-red/vectors.json").first?["vectors"] as? [[String: Any]] else {
            return
        }
        var seen = 0
        for entry in list {
            let kind = try #require(entry["kind"] as? String)
            let format: FECFormat
            switch kind {
            case "flexfec-rfc8627": format = .flexfec
            case "ulpfec-rfc5109-level0": format = .ulpfec
            default: continue
            }
            seen += 1
            let name = Comment(rawValue: entry["case"] as? String ?? "")
            let sources = try #require(entry["sources"] as? [String]).map { hex($0) }
            let packet = hex(try #require(entry["fec"] as? String))
            let outer = try rtp(packet)
            let payload = Array(packet[outer.payloadRange])
            let (header, _) = try FECHeader.parse(payload.span.bytes, format: format)
            #expect(header.mask.count == sources.count, name)
            for source in sources {
                let number = UInt16(source[2]) << 8 | UInt16(source[3])
                #expect(header.mask[Int(number &- header.base)], name)
            }
            let index = try #require(entry["drop_index"] as? Int)
            let rest = sources.indices.filter { $0 != index }.map { sources[$0] }
            let recovered = try recover(payload, format, without: sources[index], rest)
            #expect(recovered == hex(try #require(entry["recovered"] as? String)), name)
            // L and D are another way to say the same mask; ours is always the flexible one.
            guard payload[0] & 0x40 == 0 || format == .ulpfec else { continue }
            let made = encode(sources, FECHeader(format: format, base: header.base, mask: header.mask))
            #expect(made == payload, name)
        }
        #expect(seen >= 4)
    }

    @Test("Every format, any mask: written, read, and any one packet comes back", arguments: FECFormat.allCases)
    func roundTrip(format: FECFormat) throws {
        var random = RandomSource(seed: 11)
        for _ in 0..<300 {
            let span = FECHeader.span(of: format)
            var mask = FECMask()
            for _ in 0...(random.next() % 12) { mask.insert(Int(random.next() % UInt64(span))) }
            let base = UInt16(truncatingIfNeeded: random.next())
            var sources: [[UInt8]] = []
            for index in 0..<span where mask[index] {
                let number = base &+ UInt16(index)
                var packet: [UInt8] = [
                    0x80 | UInt8(random.next() & 0x3F), UInt8(truncatingIfNeeded: random.next()), UInt8(number >> 8),
                    UInt8(number & 0xFF),
                ]
                for _ in 0..<4 { packet.append(UInt8(truncatingIfNeeded: random.next())) }
                packet += [1, 2, 3, 4]
                for _ in 0..<(random.next() % 200) { packet.append(UInt8(truncatingIfNeeded: random.next())) }
                sources.append(packet)
            }
            let payload = encode(
                sources, FECHeader(format: format, base: base, mask: mask, protectedSSRC: 0x0102_0304))
            guard payload.count >= 12 else { continue }
            let (header, _) = try FECHeader.parse(payload.span.bytes, format: format)
            #expect(header.mask == mask && header.base == base)
            #expect(header.protectedSSRC == (format == .flexfec03 ? 0x0102_0304 : nil))
            let index = Int(random.next() % UInt64(sources.count))
            let rest = sources.indices.filter { $0 != index }.map { sources[$0] }
            #expect(try recover(payload, format, without: sources[index], rest) == sources[index])
        }
    }

    @Test("Mask of nothing, reserved bits, lengths beyond the end, L of zero, a body beyond a datagram (C39)")
    func refusals() {
        func reason(_ text: String, _ format: FECFormat, padding: Int = 0) -> DropReason? {
            let bytes = hex(text) + [UInt8](repeating: 0, count: padding)
            do {
                _ = try FECHeader.parse(bytes.span.bytes, format: format)
                return nil
            } catch { return error }
        }
        #expect(reason("0000 0032 0000de00 005d 0000 8000", .ulpfec) == nil)
        #expect(reason("0000 0032 0000de00 005d 0000 0000", .ulpfec) == .badValue)
        #expect(reason("8000 0032 0000de00 005d 0000 8000", .ulpfec) == .badValue)
        #expect(reason("0000 0032 0000de00 005d 0001 8000", .ulpfec) == .truncated)
        #expect(reason("0000 0032 0000de00 005d ffff 8000", .ulpfec, padding: 1500) == .truncated)
        #expect(reason("4000 0032 0000de00 005d 0000 8000 0000", .ulpfec) == .truncated)
        #expect(reason("0000 0032 0000de00 005d 05d1 8000", .ulpfec, padding: 1489) == .badLength)
        #expect(reason("0000 002a 0000ca48 0064 4000", .flexfec) == nil)
        #expect(reason("0000 002a 0000ca48 0064 0000", .flexfec) == .badValue)
        #expect(reason("c000 002a 0000ca48 0064 4000", .flexfec) == .badValue)
        #expect(reason("8000 002a 0000ca48 0064 4000", .flexfec) == .badValue)
        #expect(reason("4000 002a 0000ca48 0064 0000", .flexfec) == .badValue)
        #expect(reason("4000 002a 0000ca48 0064 ffff", .flexfec) == .tooMany)
        #expect(reason("0000 002a 0000ca48 0064 c000", .flexfec) == .truncated)
        #expect(reason("0000 002a 0000ca48 0064 c000 8000 0001", .flexfec) == .truncated)
        #expect(reason("0000 002a 0000ca48 01000000 11223344 0064 8000", .flexfec03) == .badValue)
        #expect(reason("0000 002a 0000ca48 01000000 11223344 0064 c000", .flexfec03) == nil)
        #expect(reason("0000 002a 0000ca48 02000000 11223344 0064 c000", .flexfec03) == .badValue)
        #expect(reason("0000 002a 0000ca48 01000000 11223344 0064 4000", .flexfec03) == .truncated)
        #expect(reason("0000 002a 0000ca48 01000000 11223344 0064 c000", .flexfec03, padding: 1489) == .badLength)
        var random = RandomSource(seed: 3)
        for round in 0..<20_000 {
            let bytes = (0..<Int(random.next() % 60)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            for format in FECFormat.allCases {
                guard let (header, offset) = try? FECHeader.parse(bytes.span.bytes, format: format) else { continue }
                #expect(!header.mask.isEmpty && offset + header.protectionLength <= bytes.count, "round \(round)")
            }
        }
    }

    @Test("A length that the protection does not cover is not believed")
    func lies() throws {
        let payload = hex("0000 0032 0000de00 0008 0004 8000 01020304")
        #expect(throws: DropReason.badLength) {
            try recover(payload, .ulpfec, without: hex("8060 0032 00000000 00000001"), [])
        }
    }
}
