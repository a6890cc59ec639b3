import PetrelCore
import Testing

@testable import PetrelSDP

@Suite struct NegotiatorOfferTests {
    /// The whole of an offer, as RFC 9429 section 5.2 wants it.
    @Test func anOfferLineByLine() throws {
        let password = "abcdefghijklmnopqrstuvwx"
        var transport = try LocalTransport(
            iceUfrag: "abcd", icePassword: password, fingerprints: [Samples.fingerprint(0xE0)])
        try transport.setCandidates(["candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"], endOfCandidates: true)
        var configuration = LocalConfiguration()
        configuration.audioCodecs = [.opus(stereo: true, sendsStereo: true)]
        configuration.receiveKilobitsPerSecond = 2500
        var negotiator = Negotiator(configuration: configuration, transport: transport, sessionID: .max)
        try negotiator.addTransceiver(.audio, direction: .sendrecv, track: Samples.track(1, rtx: 9))
        try negotiator.addTransceiver(.video, direction: .sendrecv, track: Samples.track(2, rtx: 3))
        try negotiator.addTransceiver(.video, direction: .sendrecv)
        let common = [
            "a=ice-ufrag:abcd", "a=ice-pwd:\(password)", "a=ice-options:trickle",
            "a=fingerprint:sha-256 E0:E1:E2:E3:E4:E5:E6:E7:E8:E9:EA:EB:EC:ED:EE:EF:F0:F1:F2:F3:F4:F5:F6:F7:F8:F9:FA:FB:FC:FD:FE:FF",
            "a=setup:actpass",
        ]
        let videoFormats = [
            "a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=rtpmap:120 swfec/90000", "a=rtcp-fb:96 goog-remb",
            "a=rtcp-fb:96 transport-cc",
            "a=rtcp-fb:96 ccm fir", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:120 x-swfb",
            "a=fmtp:97 apt=96",
        ]
        let videoExtensions = [
            "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
        ]
        // What Petrel's peers tell each other; others do not answer it.
        let own = "a=extmap:6 urn:x-petrel:frame-references"
        var expected = [
            "v=0", "o=- 4611686018427387903 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1 2",
            "a=extmap-allow-mixed", "m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "c=IN IP4 0.0.0.0", "b=AS:2500",
            "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host", "a=end-of-candidates",
        ]
        expected += common + ["a=mid:0", "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level"] + videoExtensions
        expected += [
            "a=sendrecv", "a=msid:stream track1", "a=rtcp-mux", "a=rtcp-rsize", "a=rtpmap:111 opus/48000/2",
            "a=rtpmap:63 red/48000/2", "a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111 nack",
            "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1", "a=fmtp:63 111/111",
            "a=ssrc:1 cname:cname1",
            "a=ssrc:1 msid:stream track1",
        ]
        expected += ["m=video 9 UDP/TLS/RTP/SAVPF 96 97 120", "c=IN IP4 0.0.0.0", "b=AS:2500"] + common + ["a=mid:1"]
        expected +=
            videoExtensions + [own, "a=sendrecv", "a=msid:stream track2", "a=rtcp-mux", "a=rtcp-rsize"] + videoFormats
        expected += [
            "a=ssrc-group:FID 2 3", "a=ssrc:2 cname:cname1", "a=ssrc:2 msid:stream track2", "a=ssrc:3 cname:cname1",
            "a=ssrc:3 msid:stream track2",
        ]
        expected += ["m=video 9 UDP/TLS/RTP/SAVPF 96 97 120", "c=IN IP4 0.0.0.0", "b=AS:2500"] + common + ["a=mid:2"]
        expected += videoExtensions + [own, "a=recvonly", "a=rtcp-mux", "a=rtcp-rsize"] + videoFormats
        let text = try negotiator.createOffer().text()
        #expect(text == Samples.text(expected))
    }

    /// A second offer keeps the numbers that the other side's offer gave, and finds free ones for what is new.
    @Test func numbersKeepTheirMeaning() throws {
        var negotiator = Samples.caller(7)
        let offer = Samples.text(
            Samples.head
                + Samples.video.map {
                    switch $0 {
                    case "m=video 9 UDP/TLS/RTP/SAVPF 96": "m=video 9 UDP/TLS/RTP/SAVPF 111 100 101"
                    case "a=rtpmap:96 VP8/90000": "a=rtpmap:100 VP8/90000"
                    default: $0
                    }
                } + [
                    "a=rtpmap:111 H264/90000", "a=rtpmap:101 rtx/90000", "a=fmtp:101 apt=100",
                    "a=extmap:1 \(NegotiableExtension.mid.uri)", "a=extmap:3 urn:unknown",
                ])
        try negotiator.applyRemote(offer, .offer)
        try negotiator.applyLocal(negotiator.createAnswer(), .answer)
        let next = try negotiator.createOffer()
        #expect(next.media.map(\.kind) == [.video, .audio] && next.media.map(\.mid) == ["0", "1"])
        #expect(next.media[0].formats == ["100", "101", "120"])
        #expect(next.media[1].formats.count == 2 && !["100", "101", "111"].contains(next.media[1].formats[0]))
        var uris: [UInt8: String] = [3: "urn:unknown"]
        for map in next.media.flatMap(\.extensions) {
            #expect(uris[map.id, default: map.uri] == map.uri)
            uris[map.id] = map.uri
        }
        #expect(uris[1] == NegotiableExtension.mid.uri)
    }

    /// The check of answers that the other tests use does find what was not offered.
    @Test func theCheckOfAnswersCanFail() throws {
        let offer = try SessionDescription(parsing: Samples.both)
        let good = try Samples.caller(2).createAnswer(to: offer)
        #expect(faults(of: good, to: offer).isEmpty)
        let changes: [(inout SessionDescription) -> Void] = [
            { $0.media.removeLast() }, { $0.media[0].feedback = [FeedbackLine(payloadType: 96, value: "nack")] },
            { $0.media[0].formats.append("97") }, { $0.media[0].hasReducedSizeRTCP = true },
            { $0.media[0].extensions = [ExtensionMap(id: 1, uri: "urn:x")] }, { $0.media[0].mid = "7" },
            { $0.media[0].transport.setup = .actpass }, { $0.media[0].transport.tlsID = "x" },
            { $0.groups[0].mids.append("9") }, { $0.groups = [] }, { $0.allowsMixedExtensions = true },
            { $0.media[0].rtpMaps[0].name = "VP9" }, { $0.media[0].hasRTCPMux = false },
        ]
        for (index, change) in changes.enumerated() {
            var bad = good
            change(&bad)
            #expect(!faults(of: bad, to: offer).isEmpty, "change \(index)")
        }
        let oneWay = try SessionDescription(parsing: Samples.both.replacing("a=sendrecv", with: "a=recvonly"))
        #expect(!faults(of: good, to: oneWay).isEmpty)
    }
}
