import PetrelWire
import Testing

@Suite("Demultiplexer")
struct DemultiplexerTests {
    @Test("first bytes as RFC 7983 section 7 and RFC 9443 list them")
    func firstBytes() {
        for first in UInt8.min...UInt8.max {
            let kind = Demultiplexer.classify([first, 0x60].span.bytes)
            let expected: PacketKind =
                switch first {
                case 0...3: .stun
                case 4...15: .unknown
                case 16...19: .zrtp
                case 20...63: .dtls
                case 64...79: .turnChannel
                case 80...127: .quic
                case 128...191: .rtp
                default: .quic
                }
            #expect(kind == expected, "first byte \(first)")
        }
    }

    @Test("second bytes tell RTCP from RTP (RFC 5761 section 4)")
    func secondBytes() {
        for second in UInt8.min...UInt8.max {
            let kind = Demultiplexer.classify([0x80, second].span.bytes)
            #expect(kind == (second >= 192 && second <= 223 ? .rtcp : .rtp))
        }
    }

    @Test("too short to tell")
    func short() {
        #expect(Demultiplexer.classify([UInt8]().span.bytes) == .unknown)
        #expect(Demultiplexer.classify([UInt8(0x80)].span.bytes) == .unknown)
        #expect(Demultiplexer.classify([UInt8(0x01)].span.bytes) == .stun)
    }

    @Test("the corpus demux-rfc7983")
    func corpus() throws {
        guard let table = try Vectors.objects("demux-rfc7983/first-byte.json").first?["table"] as? [[String: Any]]
        else { return }
        #expect(table.count == 256)
        for row in table {
            let first = try #require(row["first_byte"] as? Int)
            let name = try #require(row["kind"] as? String)
            let kind = Demultiplexer.classify([UInt8(first), 0].span.bytes)
            let expected: [PacketKind] =
                switch name {
                case "stun": [.stun]
                case "zrtp (drop)": [.zrtp]
                case "dtls": [.dtls]
                case "turn-channel": [.turnChannel]
                case "rtp-or-rtcp": [.rtp]
                case "drop": [.unknown, .quic]
                default: []
                }
            #expect(expected.contains(kind), "first byte \(first): \(name)")
        }
    }
}
