import PetrelCore
import Testing

@testable import PetrelSDP

@Suite struct SessionDescriptionParseTests {
    @Test func readsWhatIsThere() throws {
        let text = Samples.text(
            Samples.head + [
                "a=group:BUNDLE 0", "a=ice-options:trickle ice2", "a=extmap-allow-mixed",
                "m=video 5000/1 UDP/TLS/RTP/SAVPF 96 97", "c=IN IP4 192.0.2.1", "b=AS:800", "b=TIAS:700000",
                "a=mid:0", "a=sendonly", "a=rtcp-mux", "a=rtcp-rsize", "a=rtpmap:96 VP8/90000",
                "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96; rtx-time=3000", "a=rtcp-fb:96 nack  pli",
                "a=rtcp-fb:* transport-cc", "a=extmap:3/sendonly urn:ietf:params:rtp-hdrext:sdes:mid x",
                "a=msid:s t", "a=ssrc-group:FID 1 2", "a=ssrc:1 cname:c", "a=ssrc:1 msid:s t", "a=ssrc:2 cname:c",
                "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host", "a=end-of-candidates", "a=setup:actpass",
                Samples.fingerprintLine, "a=ptime:20", "a=maxptime:60", "a=rid:1 send", "a=simulcast:send 1",
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000", "a=max-message-size:262144",
            ])
        let description = try SessionDescription(parsing: text)
        #expect(description.origin.sessionID == 4_611_731_400_430_051_336 && description.origin.sessionVersion == 2)
        #expect(description.groups == [SectionGroup(semantics: "BUNDLE", mids: ["0"])])
        #expect(description.transport.iceOptions == ["trickle", "ice2"])
        #expect(description.allowsMixedExtensions)
        let video = try #require(description.media.first)
        #expect(video.kind == .video && video.port == 5000 && video.portCount == 1 && video.direction == .sendonly)
        #expect(video.bandwidths.map(\.value) == [800, 700_000])
        #expect(video.hasRTCPMux && video.hasReducedSizeRTCP && video.endOfCandidates)
        #expect(video.rtpMap(96) == RTPMap(payloadType: 96, name: "VP8", clockRate: 90_000))
        #expect(video.parameters(97)?.number("apt") == 96 && video.parameters(97)?.number("RTX-TIME") == 3000)
        #expect(video.hasFeedback("nack pli", for: 96) && !video.hasFeedback("nack pli", for: 97))
        #expect(video.hasFeedback("transport-cc", for: 97))
        #expect(video.extensions.first?.direction == .sendonly && video.extensions.first?.attributes == "x")
        #expect(video.streams == [StreamIdentifier(stream: "s", track: "t")])
        #expect(video.sourceGroups == [SourceGroup(semantics: "FID", ssrcs: [1, 2])])
        #expect(video.sources.map(\.ssrc) == [1, 2] && video.sources[0].msid?.track == "t")
        #expect(video.candidates == ["candidate:1 1 udp 1 192.0.2.1 5000 typ host"])
        #expect(video.transport.fingerprints.first?.bytes[1] == 0x0A && video.transport.setup == .actpass)
        #expect(video.packetTime == 20 && video.maximumPacketTime == 60)
        #expect(video.otherAttributes == ["rid:1 send", "simulcast:send 1"])
        #expect(description.media[1].sctpPort == 5000 && description.media[1].maximumMessageSize == 262_144)
    }

    @Test func lineFeedsAloneAndAMissingLastOneWillDo() throws {
        let unix = String(decoding: Samples.both.utf8.filter { $0 != 0x0D }.dropLast(), as: UTF8.self)
        #expect(try SessionDescription(parsing: unix) == SessionDescription(parsing: Samples.both))
        #expect(try SessionDescription(parsing: Samples.both + "\r\n\n").media.count == 2)
        expectError(.unexpectedLine, line: 3) { _ = try SessionDescription(parsing: "v=0\no=- 1 1 IN IP4 x\n\ns=-\n") }
    }

    @Test func printedTextReadsTheSame() throws {
        let first = try SessionDescription(parsing: Samples.both)
        let second = try SessionDescription(parsing: first.text())
        #expect(first == second)
        #expect(try first.text() == second.text())
    }

    /// C55: what is out of form is refused with its line.
    @Test func c55FormErrorsNameTheirLine() {
        let last = Samples.head.count + Samples.video.count + 1
        let appended: [(String, SDPError.Reason)] = [
            ("a=extmap:0 urn:x", .badNumber), ("a=extmap:256 urn:x", .badNumber), ("a=extmap:65536 urn:x", .badNumber),
            ("a=extmap:-1 urn:x", .badNumber), ("a=extmap:1", .badAttribute), ("a=extmap:1/both urn:x", .badAttribute),
            ("a=rtpmap:128 VP8/90000", .badAttribute), ("a=rtpmap:97", .badAttribute),
            ("a=rtpmap:97 VP8", .badAttribute),
            ("a=rtpmap:97 VP8/0", .badNumber), ("a=rtpmap:97 VP8/18446744073709551616", .badNumber),
            ("a=rtpmap:97 VP8/90000/0", .badNumber), ("a=rtpmap:96 H264/90000", .payloadTypeReused),
            ("a=fmtp:garbage x=1", .badAttribute), ("a=fmtp:", .badAttribute), ("a=rtcp-fb:x nack", .badAttribute),
            ("a=ice-ufrag:abc", .badICECredentials), ("a=ice-pwd:ppppppppppppppppppppp", .badICECredentials),
            ("a=setup:both", .badSetup), ("a=mid:a b", .badMID), ("a=sctp-port:70000", .badNumber),
            ("a=max-message-size:x", .badNumber), ("m=video 70000 UDP/TLS/RTP/SAVPF 96", .badNumber),
            ("m=video -1 UDP/TLS/RTP/SAVPF 96", .badNumber), ("m=video 9 UDP/TLS/RTP/SAVPF 128", .badNumber),
            ("m=video 9 UDP/TLS/RTP/SAVPF -1", .badNumber), ("m=video 9 UDP/TLS/RTP/SAVPF 96 96", .payloadTypeReused),
            ("m=video 9", .badLine), ("m=video 9 UDP/TLS/RTP/SAVPF", .badLine), ("b=AS:x", .badLine),
            ("b=AS", .badLine),
            ("c=IN", .badLine), ("x=1", .unexpectedLine), ("v=0", .unexpectedLine), ("nonsense", .badLine),
            ("a=", .badAttribute), ("a=tab\there", .controlCharacter), ("a=bare\rreturn", .controlCharacter),
            ("a=nul\0", .controlCharacter), ("a=b\u{7F}", .controlCharacter),
            ("a=candidate:" + String(repeating: "x", count: 600), .lineTooLong),
            ("a=x:" + String(repeating: "x", count: 9000), .lineTooLong),
        ]
        for (line, reason) in appended {
            expectError(reason, line: last, String(line.prefix(60))) {
                _ = try SessionDescription(parsing: Samples.one + line + "\r\n")
            }
        }
        expectError(.missingLine, line: 1) {
            _ = try SessionDescription(parsing: Samples.edited(Samples.one, "v=", ""))
        }
        expectError(.missingLine, line: 2) {
            _ = try SessionDescription(parsing: Samples.edited(Samples.one, "o=", ""))
        }
        expectError(.missingLine) { _ = try SessionDescription(parsing: Samples.edited(Samples.one, "s=", "")) }
        expectError(.missingLine) { _ = try SessionDescription(parsing: "") }
        expectError(.missingLine) { _ = try SessionDescription(parsing: "v=0\r\n") }
        for origin in [
            "o=- 18446744073709551616 1 IN IP4 x", "o=- 1 99999999999999999999 IN IP4 x", "o=- -1 1 IN IP4 x",
        ] {
            expectError(.badNumber, line: 2) {
                _ = try SessionDescription(parsing: Samples.edited(Samples.one, "o=", origin))
            }
        }
        expectError(.notUTF8) {
            _ = try SessionDescription(parsing: Array(Samples.one.utf8) + [0x61, 0x3D, 0xFF, 0x0A])
        }
    }

    /// Identifiers that RFC 8285 section 7 sets aside for too many extensions in an offer are passed over.
    @Test func placeholdersOfExtensionsAreLeftOut() throws {
        let text = Samples.one + "a=extmap:4096 urn:x\r\na=extmap:255 urn:y\r\n"
        #expect(try SessionDescription(parsing: text).media[0].extensions.map(\.id) == [255])
    }

    /// C55: sources outside 32 bits say nothing.
    @Test func c55SourcesOutOfRangeAreIgnored() throws {
        let text = Samples.one + "a=ssrc:4294967296 cname:x\r\na=ssrc:-1 cname:y\r\na=ssrc-group:FID 1 4294967296\r\n"
        let section = try SessionDescription(parsing: text).media[0]
        #expect(section.sources.isEmpty && section.sourceGroups.isEmpty)
    }

    /// C55: every kind of repeated line has a limit, and time is linear. What browsers write takes about 25 ms per MB
    /// in an optimised build and lines of three letters twice that; the bounds are wide because tests share the machine,
    /// and still far below what anything quadratic would take.
    @Test func c55LimitsAndTime() throws {
        func repeated(_ line: String, _ count: Int) -> String {
            Samples.one + String(repeating: line + "\r\n", count: count)
        }
        expectError(.tooLong) { _ = try SessionDescription(parsing: repeated("a=x", 100_000)) }
        expectError(.tooLong) {
            _ = try SessionDescription(parsing: Samples.one + "a=" + String(repeating: "x", count: 1 << 20))
        }
        expectError(.tooLong) {
            _ = try SessionDescription(parsing: repeated("m=video 9 UDP/TLS/RTP/SAVPF 96", 10_000))
        }
        expectError(.tooMany) { _ = try SessionDescription(parsing: repeated("a=x", 3000)) }
        expectError(.tooMany) { _ = try SessionDescription(parsing: repeated("m=video 0 UDP/TLS/RTP/SAVPF 96", 300)) }
        expectError(.tooMany) { _ = try SessionDescription(parsing: repeated("a=candidate:1", 129)) }
        expectError(.tooMany) { _ = try SessionDescription(parsing: repeated("i=x", 17_000)) }
        let sources = (0..<300).map { "a=ssrc:\($0) cname:x" }.joined(separator: "\r\n")
        expectError(.tooMany) { _ = try SessionDescription(parsing: Samples.one + sources + "\r\n") }

        // With all limits raised, a megabyte of each kind, to see that none is quadratic.
        var limits = SDPLimits()
        (limits.bytes, limits.lineBytes, limits.lines) = (4 << 20, 4 << 20, 1 << 20)
        (limits.attributes, limits.candidates, limits.sources, limits.sections) = (1 << 20, 1 << 20, 1 << 20, 1 << 20)
        let kinds = [
            "a=x", "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host", "a=ssrc:7 cname:x", "a=rtcp-fb:96 nack",
            "a=fmtp:96 x=1", "a=msid:a b", "a=extmap:1 urn:x", "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "a=ssrc-group:FID 1 2", "a=rtpmap:96 VP8/90000", "b=AS:1",
        ]
        #if DEBUG
            let (size, allowed) = (1 << 17, Duration.milliseconds(2000))
        #else
            let (size, allowed) = (1 << 20, Duration.milliseconds(500))
        #endif
        var slowest = (kind: "", time: Duration.zero)
        for kind in kinds + ["a=ssrc:%d cname:x"] {
            let count = size / (kind.utf8.count + 2)
            let lines =
                kind.contains("%d")
                ? (0..<count).map { "a=ssrc:\($0) cname:x\r\n" }.joined()
                : String(repeating: kind + "\r\n", count: count)
            let text = Samples.one + lines
            let time = try quickest { _ = try SessionDescription(parsing: text, limits: limits) }
            if time > slowest.time { slowest = (kind, time) }
            #expect(time < allowed, "\(kind): \(time)")
        }
        let line = Samples.one + "a=x:" + String(repeating: "x ", count: size / 2) + "\r\n"
        let time = try quickest { _ = try SessionDescription(parsing: line, limits: limits) }
        #expect(time < allowed, "one line: \(time)")
        print("slowest \(size) octets: \(slowest.time) of \(slowest.kind); one line: \(time)")
    }

    /// C58: nothing can be slipped into what is printed.
    @Test func c58ControlCharactersAreNotPrinted() throws {
        var description = try SessionDescription(parsing: Samples.both)
        for bad in ["a\r\na=setup:passive", "a\nb", "a\0b", "a\rb"] {
            var changed = description
            changed.media[0].mid = bad
            expectError(.controlCharacter) { _ = try changed.text() }
            changed = description
            changed.media[0].streams = [StreamIdentifier(stream: bad)]
            expectError(.controlCharacter) { _ = try changed.text() }
            changed = description
            changed.media[0].candidates = [bad]
            expectError(.controlCharacter) { _ = try changed.text() }
            changed = description
            changed.name = bad
            expectError(.controlCharacter) { _ = try changed.text() }
        }
        description.media[0].mid = "fine"
        #expect(try description.text().contains("a=mid:fine\r\n"))
    }

    /// The least time of three.
    private func quickest(_ body: () throws -> Void) rethrows -> Duration {
        var least = Duration.seconds(1000)
        for _ in 0..<3 { least = min(least, try ContinuousClock().measure(body)) }
        return least
    }
}
