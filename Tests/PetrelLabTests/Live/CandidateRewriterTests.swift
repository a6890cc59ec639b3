import PetrelCore
import PetrelLab
import Testing

@Suite struct CandidateRewriterTests {
    private let relay = TransportAddress(ipv4: 0x7F00_0001, port: 9999)

    @Test func hostCandidatesGetTheAddress() {
        #expect(
            CandidateRewriter.rewrite(
                "candidate:1 1 UDP 2130706431 192.0.2.7 5000 typ host generation 0", to: relay)
                == "candidate:1 1 UDP 2130706431 127.0.0.1 9999 typ host generation 0")
        #expect(
            CandidateRewriter.rewrite("a=candidate:1 1 udp 7 2001:db8::1 5000 typ host", to: relay)
                == "a=candidate:1 1 udp 7 127.0.0.1 9999 typ host")
        #expect(
            CandidateRewriter.rewrite(
                "candidate:1 1 udp 7 192.0.2.7 5000 typ host raddr 10.0.0.1 rport 9 ufrag x", to: relay)
                == "candidate:1 1 udp 7 127.0.0.1 9999 typ host ufrag x")
    }

    @Test(arguments: [
        "candidate:1 1 tcp 7 192.0.2.7 9 typ host tcptype active",
        "candidate:1 1 udp 7 192.0.2.7 9 typ srflx raddr 10.0.0.1 rport 5",
        "candidate:1 1 udp 7 192.0.2.7 9 typ relay", "candidate:1 1 udp 7", "", "candidate", "x y z",
        "candidate:1 1 udp 7 192.0.2.7 9 typ",
    ])
    func othersAreNotPassedOn(candidate: String) {
        #expect(CandidateRewriter.rewrite(candidate, to: relay) == nil)
    }

    @Test func aDescriptionNamesTheRelayOnly() {
        let offer = [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0",
            "m=audio 5000 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 192.0.2.7", "a=rtcp:5001 IN IP4 192.0.2.7",
            "a=candidate:1 1 udp 7 192.0.2.7 5000 typ host", "a=candidate:2 1 udp 6 10.0.0.1 5000 typ host",
            "a=candidate:3 1 tcp 6 10.0.0.1 9 typ host tcptype active", "a=mid:0",
            "m=video 0 UDP/TLS/RTP/SAVPF 96", "c=IN IP6 2001:db8::1", "a=mid:1", "",
        ].joined(separator: "\r\n")
        let expected = [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
            "a=candidate:1 1 udp 7 127.0.0.1 9999 typ host", "a=mid:0",
            "m=video 0 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=mid:1", "",
        ].joined(separator: "\r\n")
        #expect(CandidateRewriter.rewrite(sessionDescription: offer, to: relay) == expected)
    }
}
