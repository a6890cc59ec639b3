import Testing

@testable import PetrelSDP

/// Offers as the browsers of today write them, recorded by `make interop`; those of the last test without candidates and
/// without the codecs that the first one has.
@Suite struct BrowserOfferTests {
    private func answer(_ text: String) throws -> (SessionDescription, NegotiatedSession) {
        var negotiator = Samples.caller(7)
        try negotiator.applyRemote(text.replacing("\n", with: "\r\n"), .offer)
        let answer = try negotiator.createAnswer()
        try negotiator.applyLocal(answer, .answer)
        return (answer, try #require(negotiator.session))
    }

    /// The identifiers of the extensions that are agreed.
    private func identifiers(_ section: NegotiatedSection) -> [NegotiableExtension: UInt8] {
        Dictionary(uniqueKeysWithValues: section.extensions.map { ($0.kind, $0.id) })
    }

    @Test("Chromium 156 with three encodings of its picture: one is answered, and of the rest nothing is left")
    func chromiumSimulcast() throws {
        let (answer, session) = try answer(Self.chromium)
        let text = try answer.text()
        for word in ["simulcast", "a=rid", "red/90000", "ulpfec", "flexfec", "H264", "AV1", "VP9", "telephone-event"] {
            #expect(!text.contains(word), "\(word)")
        }
        #expect(answer.groups == [SectionGroup(semantics: "BUNDLE", mids: ["0", "1"])])
        #expect(answer.media.map(\.formats) == [["111", "63"], ["96", "97"]])
        #expect(text.contains("a=rtpmap:63 red/48000/2\r\n") && text.contains("a=fmtp:63 111/111\r\n"))
        let (audio, video) = (session.sections[0], session.sections[1])
        #expect(audio.sends && audio.receives && video.sends && video.receives)
        #expect(audio.sendCodecs.map(\.payloadType) == [111] && audio.sendCodecs[0].feedback == .transportCC)
        #expect(audio.sendCodecs[0].redPayloadType == 63 && audio.receiveCodecs[0].redPayloadType == 63)
        #expect(video.sendCodecs.map(\.payloadType) == [96] && video.sendCodecs[0].rtxPayloadType == 97)
        #expect(video.sendCodecs[0].feedback == [.nack, .pli, .fir, .transportCC, .remb])
        #expect(
            identifiers(audio) == [.audioLevel: 1, .absoluteSendTime: 2, .transportWideCC: 3, .mid: 4])
        #expect(identifiers(video) == [.absoluteSendTime: 2, .transportWideCC: 3, .mid: 4])
        // With three encodings Chromium announces no source: they come with their MID.
        #expect(video.remoteSources.isEmpty && audio.remoteSources.count == 1)
    }

    @Test("Firefox 153: its numbers, a section without a port of its own, addresses that nobody can use")
    func firefox() throws {
        let (answer, session) = try answer(Self.firefox)
        #expect(answer.media.map(\.formats) == [["109"], ["120", "124"]])
        #expect(answer.media.allSatisfy { !$0.isRejected })
        let (audio, video) = (session.sections[0], session.sections[1])
        #expect(audio.sends && audio.receives && video.sends && video.receives)
        #expect(audio.sendCodecs.map(\.payloadType) == [109] && audio.sendCodecs[0].feedback == .transportCC)
        #expect(video.sendCodecs.map(\.payloadType) == [120] && video.sendCodecs[0].rtxPayloadType == 124)
        #expect(video.sendCodecs[0].feedback == [.nack, .pli, .fir, .transportCC, .remb])
        #expect(video.sendCodecs[0].vp8?.maximumFrameSize == 12_288)
        #expect(identifiers(audio) == [.audioLevel: 1, .transportWideCC: 7, .mid: 3])
        #expect(identifiers(video) == [.absoluteSendTime: 4, .transportWideCC: 7, .mid: 3])
        #expect(audio.sendCodecs[0].opus?.stereo == true)
        // Names of the local network (mDNS) and TCP: politely ignored, and the browser's checks tell where it is.
        let transport = try #require(session.transport)
        #expect(transport.remoteCandidates.count == 8 && transport.remoteEndOfCandidates)
        for line in transport.remoteCandidates {
            if case .candidate(let candidate) = CandidateLine(line) { Issue.record("\(candidate) can be used") }
        }
    }

    @Test("Chromium ends a section, and opens another in its place")
    func chromiumSectionAgain() throws {
        var negotiator = Samples.caller(7)
        for text in [Self.before, Self.ended, Self.again] {
            try negotiator.applyRemote(text.replacing("\n", with: "\r\n"), .offer)
            let answer = try negotiator.createAnswer()
            try negotiator.applyLocal(answer, .answer)
        }
        let session = try #require(negotiator.session)
        #expect(session.sections.map(\.mid) == ["0", "2"] && session.accepted.count == 2)
        #expect(session.sections[1].receives && session.sections[1].remoteSources.count == 1)
    }

    private static let chromium = """
        v=0
        o=- 345435174203731512 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=extmap-allow-mixed
        a=msid-semantic: WMS 09500926-6ff0-430b-ad1a-240a47bcf228
        m=audio 45653 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
        c=IN IP4 127.0.0.1
        a=rtcp:9 IN IP4 0.0.0.0
        a=candidate:1674418308 1 udp 2122194687 127.0.0.1 45653 typ host generation 0 network-id 3 network-cost 50
        a=candidate:2272094736 1 udp 2122063615 192.0.2.2 58890 typ host generation 0 network-id 1
        a=candidate:1927383564 1 udp 2122267903 ::1 52876 typ host generation 0 network-id 4 network-cost 50
        a=candidate:1275833328 1 udp 2122134271 fd00::2 44013 typ host generation 0 network-id 2
        a=candidate:2640792592 1 tcp 1518214911 127.0.0.1 9 typ host tcptype active generation 0 network-id 3 network-cost 50
        a=candidate:2043133572 1 tcp 1518083839 192.0.2.2 9 typ host tcptype active generation 0 network-id 1
        a=candidate:2353749656 1 tcp 1518288127 ::1 9 typ host tcptype active generation 0 network-id 4 network-cost 50
        a=candidate:2996928356 1 tcp 1518154495 fd00::2 9 typ host tcptype active generation 0 network-id 2
        a=ice-ufrag:yXHH
        a=ice-pwd:PTv1e/eG2i+q6JCt7wGZRP38
        a=ice-options:trickle
        a=fingerprint:sha-256 E0:2B:20:7E:03:4D:4E:4C:9D:AA:56:2F:CB:12:76:77:09:E1:40:FE:42:9E:8C:BD:79:F6:1A:5E:62:75:AD:BA
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=msid:09500926-6ff0-430b-ad1a-240a47bcf228 772276d9-3776-415b-b44e-1d7451c0b8b5
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtpmap:63 red/48000/2
        a=fmtp:63 111/111
        a=rtpmap:9 G722/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:13 CN/8000
        a=rtpmap:110 telephone-event/48000
        a=rtpmap:126 telephone-event/8000
        a=ssrc:2203641956 cname:lSKihS6fLIsLD7jG
        a=ssrc:2203641956 msid:09500926-6ff0-430b-ad1a-240a47bcf228 772276d9-3776-415b-b44e-1d7451c0b8b5
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 107 108 109 114 115 116 117 39 40 45 46 98 99 100 101 118 119 120
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:yXHH
        a=ice-pwd:PTv1e/eG2i+q6JCt7wGZRP38
        a=ice-options:trickle
        a=fingerprint:sha-256 E0:2B:20:7E:03:4D:4E:4C:9D:AA:56:2F:CB:12:76:77:09:E1:40:FE:42:9E:8C:BD:79:F6:1A:5E:62:75:AD:BA
        a=setup:actpass
        a=mid:1
        a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:13 urn:3gpp:video-orientation
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type
        a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing
        a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=extmap:12 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension
        a=extmap:9 http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00
        a=sendrecv
        a=msid:09500926-6ff0-430b-ad1a-240a47bcf228 f365f3f1-ec71-48db-93ef-95d3dd2bf066
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=rtpmap:102 H264/90000
        a=rtcp-fb:102 goog-remb
        a=rtcp-fb:102 transport-cc
        a=rtcp-fb:102 ccm fir
        a=rtcp-fb:102 nack
        a=rtcp-fb:102 nack pli
        a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
        a=rtpmap:103 rtx/90000
        a=fmtp:103 apt=102
        a=rtpmap:104 H264/90000
        a=rtcp-fb:104 goog-remb
        a=rtcp-fb:104 transport-cc
        a=rtcp-fb:104 ccm fir
        a=rtcp-fb:104 nack
        a=rtcp-fb:104 nack pli
        a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f
        a=rtpmap:107 rtx/90000
        a=fmtp:107 apt=104
        a=rtpmap:108 H264/90000
        a=rtcp-fb:108 goog-remb
        a=rtcp-fb:108 transport-cc
        a=rtcp-fb:108 ccm fir
        a=rtcp-fb:108 nack
        a=rtcp-fb:108 nack pli
        a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:109 rtx/90000
        a=fmtp:109 apt=108
        a=rtpmap:114 H264/90000
        a=rtcp-fb:114 goog-remb
        a=rtcp-fb:114 transport-cc
        a=rtcp-fb:114 ccm fir
        a=rtcp-fb:114 nack
        a=rtcp-fb:114 nack pli
        a=fmtp:114 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f
        a=rtpmap:115 rtx/90000
        a=fmtp:115 apt=114
        a=rtpmap:116 H264/90000
        a=rtcp-fb:116 goog-remb
        a=rtcp-fb:116 transport-cc
        a=rtcp-fb:116 ccm fir
        a=rtcp-fb:116 nack
        a=rtcp-fb:116 nack pli
        a=fmtp:116 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f
        a=rtpmap:117 rtx/90000
        a=fmtp:117 apt=116
        a=rtpmap:39 H264/90000
        a=rtcp-fb:39 goog-remb
        a=rtcp-fb:39 transport-cc
        a=rtcp-fb:39 ccm fir
        a=rtcp-fb:39 nack
        a=rtcp-fb:39 nack pli
        a=fmtp:39 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f
        a=rtpmap:40 rtx/90000
        a=fmtp:40 apt=39
        a=rtpmap:45 AV1/90000
        a=rtcp-fb:45 goog-remb
        a=rtcp-fb:45 transport-cc
        a=rtcp-fb:45 ccm fir
        a=rtcp-fb:45 nack
        a=rtcp-fb:45 nack pli
        a=fmtp:45 level-idx=5;profile=0;tier=0
        a=rtpmap:46 rtx/90000
        a=fmtp:46 apt=45
        a=rtpmap:98 VP9/90000
        a=rtcp-fb:98 goog-remb
        a=rtcp-fb:98 transport-cc
        a=rtcp-fb:98 ccm fir
        a=rtcp-fb:98 nack
        a=rtcp-fb:98 nack pli
        a=fmtp:98 profile-id=0
        a=rtpmap:99 rtx/90000
        a=fmtp:99 apt=98
        a=rtpmap:100 VP9/90000
        a=rtcp-fb:100 goog-remb
        a=rtcp-fb:100 transport-cc
        a=rtcp-fb:100 ccm fir
        a=rtcp-fb:100 nack
        a=rtcp-fb:100 nack pli
        a=fmtp:100 profile-id=2
        a=rtpmap:101 rtx/90000
        a=fmtp:101 apt=100
        a=rtpmap:118 red/90000
        a=rtpmap:119 rtx/90000
        a=fmtp:119 apt=118
        a=rtpmap:120 ulpfec/90000
        a=rid:q send
        a=rid:h send
        a=rid:f send
        a=simulcast:send q;h;f

        """

    private static let firefox = """
        v=0
        o=mozilla...THIS_IS_SDPARTA-99.0 4900912044307861145 0 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=sendrecv
        a=fingerprint:sha-256 12:7A:9D:C6:23:24:2C:B5:EA:36:1A:F3:08:00:D2:38:68:D4:C5:F4:5A:53:73:8E:76:6E:E2:B0:CF:66:0C:5B
        a=group:BUNDLE 0 1
        a=ice-options:trickle
        a=msid-semantic:WMS *
        m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
        c=IN IP4 0.0.0.0
        a=candidate:0 1 UDP 2122187007 6916b097-788a-4e3e-a338-71c6e5ba49a6.local 56552 typ host
        a=candidate:1 1 UDP 2122252543 1cf83d49-c02c-4704-9eac-86bb670919e5.local 60101 typ host
        a=candidate:2 1 TCP 2105458943 6916b097-788a-4e3e-a338-71c6e5ba49a6.local 9 typ host tcptype active
        a=candidate:3 1 TCP 2105524479 1cf83d49-c02c-4704-9eac-86bb670919e5.local 9 typ host tcptype active
        a=candidate:0 2 UDP 2122187006 6916b097-788a-4e3e-a338-71c6e5ba49a6.local 55475 typ host
        a=candidate:1 2 UDP 2122252542 1cf83d49-c02c-4704-9eac-86bb670919e5.local 35061 typ host
        a=candidate:2 2 TCP 2105458942 6916b097-788a-4e3e-a338-71c6e5ba49a6.local 9 typ host tcptype active
        a=candidate:3 2 TCP 2105524478 1cf83d49-c02c-4704-9eac-86bb670919e5.local 9 typ host tcptype active
        a=sendrecv
        a=end-of-candidates
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap-allow-mixed
        a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
        a=fmtp:101 0-15
        a=ice-pwd:7fda92353f906fe9b03b6995b6187c14
        a=ice-ufrag:d9b73074
        a=mid:0
        a=msid:{4048dedf-f6f9-4467-bee9-31e791cb3385} {b8c50304-6dcb-42de-a66f-7d4420822ccc}
        a=rtcp:55475 IN IP4 6916b097-788a-4e3e-a338-71c6e5ba49a6.local
        a=rtcp-fb:109 transport-cc
        a=rtcp-fb:9 transport-cc
        a=rtcp-fb:0 transport-cc
        a=rtcp-fb:8 transport-cc
        a=rtcp-mux
        a=rtpmap:109 opus/48000/2
        a=rtpmap:9 G722/8000/1
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:101 telephone-event/8000
        a=setup:actpass
        a=ssrc:1736179695 cname:{11713fd8-28b1-4c74-b4bb-dbbdb6c118ad}
        m=video 0 UDP/TLS/RTP/SAVPF 120 124 121 125 99 100 123 122 119
        c=IN IP4 0.0.0.0
        a=bundle-only
        a=sendrecv
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:5 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap-allow-mixed
        a=fmtp:120 max-fs=12288;max-fr=60
        a=fmtp:124 apt=120
        a=fmtp:121 max-fs=12288;max-fr=60
        a=fmtp:125 apt=121
        a=fmtp:100 apt=99
        a=fmtp:119 apt=122
        a=ice-pwd:7fda92353f906fe9b03b6995b6187c14
        a=ice-ufrag:d9b73074
        a=mid:1
        a=msid:{4048dedf-f6f9-4467-bee9-31e791cb3385} {c6290ccd-fc04-446f-ac48-3283f776cd73}
        a=rtcp-fb:120 nack
        a=rtcp-fb:120 nack pli
        a=rtcp-fb:120 ccm fir
        a=rtcp-fb:120 goog-remb
        a=rtcp-fb:120 transport-cc
        a=rtcp-fb:121 nack
        a=rtcp-fb:121 nack pli
        a=rtcp-fb:121 ccm fir
        a=rtcp-fb:121 goog-remb
        a=rtcp-fb:121 transport-cc
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=rtcp-fb:99 ccm fir
        a=rtcp-fb:99 goog-remb
        a=rtcp-fb:99 transport-cc
        a=rtcp-fb:123 nack
        a=rtcp-fb:123 nack pli
        a=rtcp-fb:123 ccm fir
        a=rtcp-fb:123 goog-remb
        a=rtcp-fb:123 transport-cc
        a=rtcp-fb:122 nack
        a=rtcp-fb:122 nack pli
        a=rtcp-fb:122 ccm fir
        a=rtcp-fb:122 goog-remb
        a=rtcp-fb:122 transport-cc
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:120 VP8/90000
        a=rtpmap:124 rtx/90000
        a=rtpmap:121 VP9/90000
        a=rtpmap:125 rtx/90000
        a=rtpmap:99 AV1/90000
        a=rtpmap:100 rtx/90000
        a=rtpmap:123 ulpfec/90000
        a=rtpmap:122 red/90000
        a=rtpmap:119 rtx/90000
        a=setup:actpass
        a=ssrc:2978931702 cname:{11713fd8-28b1-4c74-b4bb-dbbdb6c118ad}
        a=ssrc:830489249 cname:{11713fd8-28b1-4c74-b4bb-dbbdb6c118ad}
        a=ssrc-group:FID 2978931702 830489249

        """

    private static let before = """
        v=0
        o=- 2929475839902348871 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=extmap-allow-mixed
        a=msid-semantic: WMS 0b156607-bbc0-4d9e-9269-b46af99d4f11
        m=audio 57750 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 127.0.0.1
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ls6T
        a=ice-pwd:+/29AJt0Xv539IBNiDu6p0+L
        a=ice-options:trickle
        a=fingerprint:sha-256 A2:82:76:3E:6B:E6:27:C9:25:52:97:82:24:BA:06:86:28:3C:5F:E2:DB:18:E6:3C:61:47:9F:AA:87:CD:2C:40
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 32cd4056-88b4-4cfd-96e1-87d6c37a514d
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=ssrc:2276392134 cname:pq0e19zFclh11cew
        a=ssrc:2276392134 msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 32cd4056-88b4-4cfd-96e1-87d6c37a514d
        m=video 9 UDP/TLS/RTP/SAVPF 96 97
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ls6T
        a=ice-pwd:+/29AJt0Xv539IBNiDu6p0+L
        a=ice-options:trickle
        a=fingerprint:sha-256 A2:82:76:3E:6B:E6:27:C9:25:52:97:82:24:BA:06:86:28:3C:5F:E2:DB:18:E6:3C:61:47:9F:AA:87:CD:2C:40
        a=setup:actpass
        a=mid:1
        a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:13 urn:3gpp:video-orientation
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type
        a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing
        a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=sendrecv
        a=msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 86abcfbb-234a-4851-9527-778777a159e9
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=ssrc-group:FID 2908874850 470355770
        a=ssrc:2908874850 cname:pq0e19zFclh11cew
        a=ssrc:2908874850 msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 86abcfbb-234a-4851-9527-778777a159e9
        a=ssrc:470355770 cname:pq0e19zFclh11cew
        a=ssrc:470355770 msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 86abcfbb-234a-4851-9527-778777a159e9

        """

    private static let ended = """
        v=0
        o=- 2929475839902348871 3 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0
        a=extmap-allow-mixed
        a=msid-semantic: WMS 0b156607-bbc0-4d9e-9269-b46af99d4f11
        m=audio 57750 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 127.0.0.1
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ls6T
        a=ice-pwd:+/29AJt0Xv539IBNiDu6p0+L
        a=ice-options:trickle
        a=fingerprint:sha-256 A2:82:76:3E:6B:E6:27:C9:25:52:97:82:24:BA:06:86:28:3C:5F:E2:DB:18:E6:3C:61:47:9F:AA:87:CD:2C:40
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 32cd4056-88b4-4cfd-96e1-87d6c37a514d
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=ssrc:2276392134 cname:pq0e19zFclh11cew
        a=ssrc:2276392134 msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 32cd4056-88b4-4cfd-96e1-87d6c37a514d
        m=video 0 UDP/TLS/RTP/SAVPF 96 97
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ls6T
        a=ice-pwd:+/29AJt0Xv539IBNiDu6p0+L
        a=ice-options:trickle
        a=fingerprint:sha-256 A2:82:76:3E:6B:E6:27:C9:25:52:97:82:24:BA:06:86:28:3C:5F:E2:DB:18:E6:3C:61:47:9F:AA:87:CD:2C:40
        a=setup:actpass
        a=mid:1
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=inactive
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96

        """

    private static let again = """
        v=0
        o=- 2929475839902348871 4 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 2
        a=extmap-allow-mixed
        a=msid-semantic: WMS 0b156607-bbc0-4d9e-9269-b46af99d4f11
        m=audio 57750 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 127.0.0.1
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ls6T
        a=ice-pwd:+/29AJt0Xv539IBNiDu6p0+L
        a=ice-options:trickle
        a=fingerprint:sha-256 A2:82:76:3E:6B:E6:27:C9:25:52:97:82:24:BA:06:86:28:3C:5F:E2:DB:18:E6:3C:61:47:9F:AA:87:CD:2C:40
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 32cd4056-88b4-4cfd-96e1-87d6c37a514d
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=ssrc:2276392134 cname:pq0e19zFclh11cew
        a=ssrc:2276392134 msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 32cd4056-88b4-4cfd-96e1-87d6c37a514d
        m=video 9 UDP/TLS/RTP/SAVPF 96 97
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ls6T
        a=ice-pwd:+/29AJt0Xv539IBNiDu6p0+L
        a=ice-options:trickle
        a=fingerprint:sha-256 A2:82:76:3E:6B:E6:27:C9:25:52:97:82:24:BA:06:86:28:3C:5F:E2:DB:18:E6:3C:61:47:9F:AA:87:CD:2C:40
        a=setup:actpass
        a=mid:2
        a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:13 urn:3gpp:video-orientation
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type
        a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing
        a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=sendrecv
        a=msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 86abcfbb-234a-4851-9527-778777a159e9
        a=rtcp-mux
        a=rtcp-rsize
        a=rtcp-xr:rcvr-rtt=all
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=ssrc-group:FID 3600165727 2646888841
        a=ssrc:3600165727 cname:pq0e19zFclh11cew
        a=ssrc:3600165727 msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 86abcfbb-234a-4851-9527-778777a159e9
        a=ssrc:2646888841 cname:pq0e19zFclh11cew
        a=ssrc:2646888841 msid:0b156607-bbc0-4d9e-9269-b46af99d4f11 86abcfbb-234a-4851-9527-778777a159e9

        """
}
