import PetrelCore
import Testing

@testable import PetrelSDP

/// What other stacks really wrote in calls with Petrel: their offers, and their answers to ours.
@Suite struct StackDescriptionTests {
    /// Our side of a call in which the other stack answers.
    func accepting(_ answer: String) throws -> NegotiatedSession {
        var negotiator = Samples.caller()
        let offer = try negotiator.createOffer()
        try negotiator.applyLocal(offer, .offer)
        try negotiator.applyRemote(answer, .answer)
        return try #require(negotiator.session)
    }

    /// Our side of a call in which the other stack offers.
    func answering(_ offer: String) throws -> (SessionDescription, NegotiatedSession) {
        var negotiator = Samples.caller()
        try negotiator.applyRemote(offer, .offer)
        let answer = try negotiator.createAnswer()
        try negotiator.applyLocal(answer, .answer)
        #expect(faults(of: try SessionDescription(parsing: answer.text()), to: try .init(parsing: offer)).isEmpty)
        return (answer, try #require(negotiator.session))
    }

    func twoWay(_ session: NegotiatedSession, _ kind: MediaKind) throws -> NegotiatedSection {
        let section = try #require(session.accepted.first { $0.kind == kind })
        #expect(section.sends && section.receives && section.sendCodecs.count == 1, "\(kind)")
        return section
    }

    func identifiers(_ section: NegotiatedSection) -> [String: UInt8] {
        Dictionary(uniqueKeysWithValues: section.extensions.map { ("\($0.kind)", UInt8($0.id)) })
    }

    /// aiortc: payload types from 96, three fingerprints, REMB and neither transport-wide feedback nor rtcp-rsize.
    @Test func offerOfAiortc() throws {
        let (answer, session) = try answering(Self.aiortcOffer)
        let (audio, video) = (try twoWay(session, .audio), try twoWay(session, .video))
        #expect(audio.sendCodecs[0].payloadType == 96 && audio.sendCodecs[0].feedback.isEmpty)
        #expect(video.sendCodecs[0].payloadType == 97 && video.sendCodecs[0].rtxPayloadType == 98)
        #expect(video.receiveCodecs[0].feedback == [.nack, .pli, .remb])
        #expect(video.sendCodecs[0].feedback == [.nack, .pli, .remb])
        #expect(!audio.reducedSizeRTCP && !video.reducedSizeRTCP)
        #expect(identifiers(audio) == ["mid": 1, "audioLevel": 2])
        #expect(identifiers(video) == ["mid": 1, "absoluteSendTime": 3])
        #expect(video.remoteSources.map(\.ssrc) == [3436199536] && video.remoteSources[0].rtxSSRC == 2042252680)
        #expect(session.transport?.role == .client && session.transport?.remoteEndOfCandidates == true)
        #expect(session.transport?.remoteFingerprints.map(\.hash).contains(.sha256) == true)
        #expect(answer.media.map { $0.formats.count } == [1, 2], "nothing but Opus, and VP8 with RTX")
    }

    @Test func answerOfAiortc() throws {
        let session = try accepting(Self.aiortcAnswer)
        let (audio, video) = (try twoWay(session, .audio), try twoWay(session, .video))
        #expect(audio.sendCodecs[0].payloadType == 111 && video.sendCodecs[0].rtxPayloadType == 97)
        #expect(video.sendCodecs[0].feedback == [.nack, .pli, .remb])
        #expect(identifiers(audio) == ["audioLevel": 1, "mid": 4])
        #expect(identifiers(video) == ["absoluteSendTime": 2, "mid": 4])
        #expect(session.transport?.role == .server && !session.allowsMixedExtensions)
    }

    /// webrtcbin with bundle-policy=max-bundle: video first, audio at port 0 with bundle-only, codec names in capitals,
    /// transport-wide feedback for both with its extension in one section, and no candidates yet.
    @Test func offerOfWebRTCBin() throws {
        let (answer, session) = try answering(Self.gstreamerOffer)
        let (audio, video) = (try twoWay(session, .audio), try twoWay(session, .video))
        #expect(session.sections.map(\.mid) == ["video0", "audio1"] && session.sections.map(\.index) == [0, 1])
        #expect(audio.sendCodecs[0].payloadType == 97)
        #expect(video.sendCodecs[0].payloadType == 96 && video.sendCodecs[0].rtxPayloadType == 98)
        #expect(video.receiveCodecs[0].feedback == [.nack, .pli, .fir, .transportCC])
        #expect(identifiers(video) == ["transportWideCC": 1] && identifiers(audio) == [:])
        #expect(audio.reducedSizeRTCP && video.reducedSizeRTCP)
        #expect(session.transport?.remoteCandidates.isEmpty == true)
        #expect(session.transport?.remoteEndOfCandidates == false, "more come by trickle")
        #expect(answer.media.allSatisfy { $0.port != 0 })
        let lines = try answer.text().split(separator: "\r\n")
        #expect(lines.filter { $0.hasPrefix("a=extmap") }.count == 1)
    }

    @Test func answerOfWebRTCBin() throws {
        let session = try accepting(Self.gstreamerAnswer)
        let (audio, video) = (try twoWay(session, .audio), try twoWay(session, .video))
        #expect(audio.sendCodecs[0].payloadType == 111 && video.sendCodecs[0].rtxPayloadType == 97)
        #expect(video.sendCodecs[0].feedback == [.nack, .pli, .fir, .transportCC])
        #expect(identifiers(video) == ["transportWideCC": 3] && identifiers(audio) == [:])
        #expect(!audio.reducedSizeRTCP && session.transport?.role == .server)
    }
}

// As the stacks wrote them: aiortc 1.16.0 and GStreamer 1.22.0. The credentials were those of one call.
extension StackDescriptionTests {
    static let aiortcOffer = text(
        """
        v=0
        o=- 4004220618 4004220618 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic:WMS *
        m=audio 34308 UDP/TLS/RTP/SAVPF 96 9 0 8
        c=IN IP4 192.0.2.2
        a=sendrecv
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=mid:0
        a=msid:ac74e9dd-d7c8-4f88-a116-985220209a51 33481191-5f95-41dc-a1f4-5ef3f251c0b3
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc:3769461192 cname:8b52cb22-be9e-41ee-8e1b-45d2860090ed
        a=rtpmap:96 opus/48000/2
        a=rtpmap:9 G722/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 34308 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 44360 typ host
        a=end-of-candidates
        a=ice-ufrag:lGvv
        a=ice-pwd:F28TqzNzBqXiBoyQtE6YQH
        a=fingerprint:sha-256 07:0E:3E:2C:6D:C1:6F:B3:2D:01:5B:8E:B0:80:B6:FE:37:75:12:F0:8C:0B:79:FF:9F:07:F3:99:8D:15:7D:4C
        a=fingerprint:sha-384 DC:4E:C3:45:AB:63:47:5B:3F:D3:3D:5F:BF:F2:3D:19:09:F0:57:E3:5E:8C:29:32:95:48:40:83:21:0B:51:D1:A2:E5:7A:0C:20:A8:F6:9D:7B:06:19:57:BE:C3:DF:B8
        a=fingerprint:sha-512 80:36:0B:AA:F8:84:0D:6F:EB:63:4B:A3:91:D1:87:3F:D9:CA:EF:95:C8:E6:7B:6D:E9:1F:A3:5D:6F:3F:80:D3:F5:0D:1A:74:82:C4:C2:9B:40:95:94:0F:01:CE:DD:1F:75:CD:04:5E:69:48:67:FA:05:35:0D:D4:77:BE:53:28
        a=setup:actpass
        m=video 45724 UDP/TLS/RTP/SAVPF 97 98 99 100 101 102
        c=IN IP4 192.0.2.2
        a=sendrecv
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=mid:1
        a=msid:ac74e9dd-d7c8-4f88-a116-985220209a51 cbd6b728-e6d5-4949-8611-644b4380a846
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc-group:FID 3436199536 2042252680
        a=ssrc:3436199536 cname:8b52cb22-be9e-41ee-8e1b-45d2860090ed
        a=ssrc:2042252680 cname:8b52cb22-be9e-41ee-8e1b-45d2860090ed
        a=rtpmap:97 VP8/90000
        a=rtcp-fb:97 nack
        a=rtcp-fb:97 nack pli
        a=rtcp-fb:97 goog-remb
        a=rtpmap:98 rtx/90000
        a=fmtp:98 apt=97
        a=rtpmap:99 H264/90000
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=rtcp-fb:99 goog-remb
        a=fmtp:99 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
        a=rtpmap:100 rtx/90000
        a=fmtp:100 apt=99
        a=rtpmap:101 H264/90000
        a=rtcp-fb:101 nack
        a=rtcp-fb:101 nack pli
        a=rtcp-fb:101 goog-remb
        a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:102 rtx/90000
        a=fmtp:102 apt=101
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 45724 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 45955 typ host
        a=end-of-candidates
        a=ice-ufrag:lGvv
        a=ice-pwd:F28TqzNzBqXiBoyQtE6YQH
        a=fingerprint:sha-256 07:0E:3E:2C:6D:C1:6F:B3:2D:01:5B:8E:B0:80:B6:FE:37:75:12:F0:8C:0B:79:FF:9F:07:F3:99:8D:15:7D:4C
        a=fingerprint:sha-384 DC:4E:C3:45:AB:63:47:5B:3F:D3:3D:5F:BF:F2:3D:19:09:F0:57:E3:5E:8C:29:32:95:48:40:83:21:0B:51:D1:A2:E5:7A:0C:20:A8:F6:9D:7B:06:19:57:BE:C3:DF:B8
        a=fingerprint:sha-512 80:36:0B:AA:F8:84:0D:6F:EB:63:4B:A3:91:D1:87:3F:D9:CA:EF:95:C8:E6:7B:6D:E9:1F:A3:5D:6F:3F:80:D3:F5:0D:1A:74:82:C4:C2:9B:40:95:94:0F:01:CE:DD:1F:75:CD:04:5E:69:48:67:FA:05:35:0D:D4:77:BE:53:28
        a=setup:actpass
        """)

    static let aiortcAnswer = text(
        """
        v=0
        o=- 4004220612 4004220612 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic:WMS *
        m=audio 37328 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 192.0.2.2
        a=sendrecv
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=mid:0
        a=msid:e69cb03e-dd61-433f-971e-d974772dc43f d7e71877-0f2c-4e67-baae-7ca704f8cad6
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc:502175508 cname:fc525ed6-733c-45a8-95b6-6badf8f06785
        a=rtpmap:111 opus/48000/2
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 37328 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 41348 typ host
        a=end-of-candidates
        a=ice-ufrag:BfPC
        a=ice-pwd:NFN5gs4FItq5dfg2ol8s0G
        a=fingerprint:sha-256 77:F1:52:9A:08:C3:F1:92:61:10:68:A7:48:B3:01:84:07:7D:D0:FF:D4:83:7B:46:A9:95:A2:47:71:39:15:18
        a=fingerprint:sha-384 33:11:18:BC:07:52:8B:0E:28:B2:3F:7D:43:7F:CA:2A:22:57:D0:F9:53:6F:53:8B:BB:BD:35:FF:38:2C:4A:F5:C2:11:20:2A:E6:58:BC:8D:2C:F6:6D:38:65:8D:C9:86
        a=fingerprint:sha-512 FE:C6:B4:C3:B3:0D:ED:77:4B:69:57:8C:84:4C:92:97:24:20:42:EA:9D:CE:FD:9B:46:11:46:2B:F7:84:50:CF:CE:57:0A:13:AE:04:A2:54:D2:D9:21:47:C3:3A:9C:75:F1:7A:D4:AC:39:CB:47:D5:CF:A3:27:EB:E5:DB:3C:AC
        a=setup:active
        m=video 37328 UDP/TLS/RTP/SAVPF 96 97
        c=IN IP4 192.0.2.2
        a=sendrecv
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=mid:1
        a=msid:e69cb03e-dd61-433f-971e-d974772dc43f cf539f59-5f3d-4ca8-bff5-9e8560d508fa
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc-group:FID 3944781277 3218612265
        a=ssrc:3944781277 cname:fc525ed6-733c-45a8-95b6-6badf8f06785
        a=ssrc:3218612265 cname:fc525ed6-733c-45a8-95b6-6badf8f06785
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtcp-fb:96 goog-remb
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 37328 typ host
        a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 41348 typ host
        a=end-of-candidates
        a=ice-ufrag:BfPC
        a=ice-pwd:NFN5gs4FItq5dfg2ol8s0G
        a=fingerprint:sha-256 77:F1:52:9A:08:C3:F1:92:61:10:68:A7:48:B3:01:84:07:7D:D0:FF:D4:83:7B:46:A9:95:A2:47:71:39:15:18
        a=fingerprint:sha-384 33:11:18:BC:07:52:8B:0E:28:B2:3F:7D:43:7F:CA:2A:22:57:D0:F9:53:6F:53:8B:BB:BD:35:FF:38:2C:4A:F5:C2:11:20:2A:E6:58:BC:8D:2C:F6:6D:38:65:8D:C9:86
        a=fingerprint:sha-512 FE:C6:B4:C3:B3:0D:ED:77:4B:69:57:8C:84:4C:92:97:24:20:42:EA:9D:CE:FD:9B:46:11:46:2B:F7:84:50:CF:CE:57:0A:13:AE:04:A2:54:D2:D9:21:47:C3:3A:9C:75:F1:7A:D4:AC:39:CB:47:D5:CF:A3:27:EB:E5:DB:3C:AC
        a=setup:active
        """)

    static let gstreamerOffer = text(
        """
        v=0
        o=- 7412947105935042775 0 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=ice-options:trickle
        a=group:BUNDLE video0 audio1
        m=video 9 UDP/TLS/RTP/SAVPF 96 98
        c=IN IP4 0.0.0.0
        a=setup:actpass
        a=ice-ufrag:KicHuIZh3ybWiVBGj8EPNy3wTz96ZKsB
        a=ice-pwd:xkmqVPIxNFIOIMXqnSV66CEd3HGJOlBB
        a=rtcp-mux
        a=rtcp-rsize
        a=sendrecv
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 transport-cc
        a=framerate:25
        a=extmap:1 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=rtpmap:98 rtx/90000
        a=fmtp:98 apt=96
        a=ssrc-group:FID 2653940995 3219551302
        a=ssrc:2653940995 msid:user657427105@host-40989af6 webrtctransceiver0
        a=ssrc:2653940995 cname:user657427105@host-40989af6
        a=ssrc:3219551302 msid:user657427105@host-40989af6 webrtctransceiver0
        a=ssrc:3219551302 cname:user657427105@host-40989af6
        a=mid:video0
        a=fingerprint:sha-256 E4:6F:D5:47:F3:00:B8:94:72:28:87:12:B0:69:A9:19:C5:52:C1:4B:A8:B9:FE:8E:11:D6:12:B3:79:01:11:16
        a=rtcp-mux-only
        m=audio 0 UDP/TLS/RTP/SAVPF 97
        c=IN IP4 0.0.0.0
        a=setup:actpass
        a=ice-ufrag:KicHuIZh3ybWiVBGj8EPNy3wTz96ZKsB
        a=ice-pwd:xkmqVPIxNFIOIMXqnSV66CEd3HGJOlBB
        a=bundle-only
        a=rtcp-mux
        a=rtcp-rsize
        a=sendrecv
        a=rtpmap:97 OPUS/48000/2
        a=rtcp-fb:97 transport-cc
        a=fmtp:97 sprop-stereo=0;sprop-maxcapturerate=48000
        a=ssrc:3659267422 msid:user657427105@host-40989af6 webrtctransceiver1
        a=ssrc:3659267422 cname:user657427105@host-40989af6
        a=mid:audio1
        a=fingerprint:sha-256 E4:6F:D5:47:F3:00:B8:94:72:28:87:12:B0:69:A9:19:C5:52:C1:4B:A8:B9:FE:8E:11:D6:12:B3:79:01:11:16
        a=rtcp-mux-only
        """)

    static let gstreamerAnswer = text(
        """
        v=0
        o=- 310151728858582684 1 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 0.0.0.0
        a=ice-ufrag:NL8KKyZZI1YMPMy75HuSZGHqq67fp0U9
        a=ice-pwd:2soS1mbtjhAeAFxKFz2l8IGx2olqYz0G
        a=mid:0
        a=rtcp-mux
        a=setup:active
        a=rtpmap:111 OPUS/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1;sprop-stereo=0;sprop-maxcapturerate=48000
        a=ssrc:3841995638 msid:user3555711627@host-ee0e1e29 webrtctransceiver1
        a=ssrc:3841995638 cname:user3555711627@host-ee0e1e29
        a=sendrecv
        a=fingerprint:sha-256 30:39:AA:2A:A2:EE:F0:8F:D5:59:10:11:02:FE:2C:A6:5A:C1:9B:B8:E2:57:B4:27:91:48:5B:0E:11:DF:70:49
        m=video 9 UDP/TLS/RTP/SAVPF 96 97
        c=IN IP4 0.0.0.0
        a=ice-ufrag:NL8KKyZZI1YMPMy75HuSZGHqq67fp0U9
        a=ice-pwd:2soS1mbtjhAeAFxKFz2l8IGx2olqYz0G
        a=mid:1
        a=rtcp-mux
        a=setup:active
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 transport-cc
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=framerate:25
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=ssrc-group:FID 1477993247 3303016366
        a=ssrc:1477993247 msid:user3555711627@host-ee0e1e29 webrtctransceiver0
        a=ssrc:1477993247 cname:user3555711627@host-ee0e1e29
        a=ssrc:3303016366 msid:user3555711627@host-ee0e1e29 webrtctransceiver0
        a=ssrc:3303016366 cname:user3555711627@host-ee0e1e29
        a=sendrecv
        a=fingerprint:sha-256 30:39:AA:2A:A2:EE:F0:8F:D5:59:10:11:02:FE:2C:A6:5A:C1:9B:B8:E2:57:B4:27:91:48:5B:0E:11:DF:70:49
        """)

    private static func text(_ lines: String) -> String {
        Samples.text(lines.split(separator: "\n").map { String($0) })
    }
}
