import PetrelSDP
import Testing

@Suite struct TrickleFragmentTests {
    /// The example of RFC 9725 section 4.3.2, shortened.
    private static let trickle = """
        a=group:BUNDLE 0 1\r
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r
        a=mid:0\r
        a=ice-ufrag:EsAw\r
        a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r
        a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag EsAw network-id 2\r
        a=end-of-candidates\r

        """

    @Test func theExampleOfTheStandard() throws {
        let fragment = try TrickleFragment(parsing: Self.trickle)
        #expect(fragment.iceUfrag == "EsAw")
        #expect(fragment.icePassword == "P2uYro0UCOQ4zxjKXaWCBui1")
        #expect(fragment.candidates.count == 2)
        #expect(fragment.candidates.allSatisfy { $0.mid == "0" })
        #expect(fragment.candidates[0].line.hasPrefix("candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host"))
        #expect(fragment.sections == [TrickleFragment.Section(kind: .audio, mid: "0")])
        #expect(fragment.endOfCandidates)
        // What is printed is read as the same.
        #expect(try TrickleFragment(parsing: fragment.text()) == fragment)
    }

    @Test func credentialsOfTheSessionAndCandidatesOfTwoSections() throws {
        let fragment = try TrickleFragment(
            parsing: """
                a=ice-ufrag:ysXw
                a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k
                m=audio 9 RTP/AVP 0
                a=candidate:1 1 udp 1 192.0.2.1 1000 typ host
                a=mid:a
                m=video 9 RTP/AVP 0
                a=mid:v
                a=candidate:2 1 udp 1 192.0.2.1 1001 typ host
                """)
        #expect(fragment.candidates.map(\.mid) == ["a", "v"], "the tag may stand behind")
        #expect(fragment.sections.map(\.kind) == [.audio, .video])
        #expect(!fragment.endOfCandidates)
    }

    @Test func theEndAlone() throws {
        #expect(try TrickleFragment(parsing: "a=end-of-candidates\r\n").endOfCandidates)
    }

    @Test(arguments: [
        ("", SDPError.Reason.missingLine), ("\r\n\r\n", .missingLine), ("a=mid:0\r\n", .badMID), ("hello", .badLine),
        ("m=audio 9\r\n", .badLine), ("x=1\r\n", .unexpectedLine), ("a=ice-ufrag:abcd\r\n", .missingICECredentials),
        ("a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n", .missingICECredentials), ("a=ice-ufrag:abc\r\n", .badICECredentials),
        ("a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n", .badICECredentials),
        ("a=ice-ufrag:abcd\r\na=ice-ufrag:efgh\r\n", .badICECredentials),
        ("m=audio 9 RTP/AVP 0\r\na=mid:a\r\nm=audio 9 RTP/AVP 0\r\na=mid:a\r\n", .duplicateMID),
        ("a=candidate:1\u{0}\r\n", .controlCharacter), ("a=candidate:1\rm=audio\r\n", .controlCharacter),
        ("m=audio 9 RTP/AVP 0\r\na=mid:a b\r\n", .badMID),
        ("a=candidate:" + String(repeating: "x", count: 600) + "\r\n", .lineTooLong),
        (String(repeating: "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n", count: 129), .tooMany),
        (String(repeating: "m=audio 9 RTP/AVP 0\r\n", count: 257), .tooMany),
        (String(repeating: "a=x\r\n", count: 14_000), .tooLong),
    ])
    func whatIsNone(_ text: String, _ reason: SDPError.Reason) {
        do {
            _ = try TrickleFragment(parsing: text)
            Issue.record("taken: \(text.prefix(60))")
        } catch { #expect(error.reason == reason, "\(text.prefix(60)): \(error)") }
    }

    @Test func aPasswordIsNotTold() {
        do {
            _ = try TrickleFragment(parsing: "a=ice-ufrag:abcd\r\na=ice-pwd:canary\r\n")
        } catch { #expect(!"\(error)".contains("canary")) }
    }

    @Test func noLineIsSlippedIn() {
        var fragment = TrickleFragment()
        fragment.candidates = [TrickleFragment.Candidate(line: "candidate:1\r\na=setup:active", mid: nil)]
        #expect(throws: SDPError.self) { try fragment.text() }
    }

    /// Whatever is cut, doubled or changed: a value or an error, never anything else.
    @Test func mutations() {
        var generator = SystemRandomNumberGenerator()
        let bytes = Array(Self.trickle.utf8)
        for _ in 0..<2000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let at = Int.random(in: 0..<changed.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: changed[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: changed.removeSubrange(at..<min(changed.count, at + 10))
                default: changed.insert(contentsOf: bytes.prefix(at), at: at)
                }
                if changed.isEmpty { break }
            }
            if let fragment = try? TrickleFragment(parsing: String(decoding: changed, as: UTF8.self)) {
                #expect(fragment.candidates.count <= 128)
            }
        }
    }
}
