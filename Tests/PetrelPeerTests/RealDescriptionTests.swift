import PetrelCore
import PetrelICE
import PetrelMedia
import PetrelSDP
import PetrelSecurity
import Testing

@testable import PetrelPeer

/// Descriptions that real stacks wrote, given to a whole peer as an offer: a valid answer, or a refusal with a reason
/// that leaves the peer as it was.
@Suite struct RealDescriptionTests {
    func peer(seed: UInt64) throws -> Peer {
        let configuration = PeerConfiguration(
            wallClock: WallClock(unixNanoseconds: 1_750_000_000_000_000_000, at: .zero),
            certificate: try Certificate.make(unixTime: 1_750_000_000, labSeed: seed))
        let peer = try Peer(
            configuration: configuration, role: .controlled, random: RandomSource(seed: seed), now: .zero)
        _ = try peer.addTrack(.audio, streamID: "stream")
        _ = try peer.addTrack(.video, streamID: "stream")
        return peer
    }

    @Test("Every offer of sdp-real is answered, or refused with a typed error and nothing changed")
    func everyOffer() throws {
        let browsers = [
            "chromium120_audio_video", "firefox121_audio_video", "safari_mac_1v1a1d", "chrome_2022_0_offer",
            "audio_chrome", "video_firefox", "jsep",
        ]
        var (answered, refused) = (0, 0)
        let folders = ["aiortc", "ex_webrtc", "kvs", "sdp-transform", "str0m"]
        for (file, bytes) in try folders.flatMap({ try Vectors.files("sdp-real/" + $0) }) {
            let name = String(file.dropLast(4))
            let text = String(decoding: bytes, as: UTF8.self)
            let peer = try peer(seed: 5)
            var out = EgressBatch()
            let now = Instant.zero + .seconds(1)
            do throws(SDPError) {
                let answer = try peer.answer(offer: text, now: now, into: &out)
                answered += 1
                let (offer, read) = (try SessionDescription(parsing: text), try SessionDescription(parsing: answer))
                #expect(read.media.count == offer.media.count, "\(name)")
                #expect(peer.negotiator.state == .stable, "\(name)")
                // Nothing is accepted that has no way to be heard: a section in use is secured and multiplexed.
                for section in read.media where !section.isRejected {
                    #expect(section.kind == .audio || section.kind == .video, "\(name)")
                }
                // The same offer again is a negotiation like any other.
                _ = try peer.answer(offer: text, now: now, into: &out)
            } catch {
                refused += 1
                #expect(!browsers.contains(name), "\(name): \(error)")
                #expect(!error.description.isEmpty && error.description.utf8.allSatisfy { $0 >= 0x20 }, "\(name)")
                #expect(peer.negotiator.session == nil && peer.state == .new, "\(name)")
                // It was the description, not the peer: a good offer is answered now.
                #expect(throws: Never.self, "\(name)") {
                    _ = try peer.answer(offer: Self.plain, now: now, into: &out)
                }
            }
            peer.close(now: now, into: &out)
        }
        print("sdp-real: \(answered) answered, \(refused) refused")
    }

    static let plain = [
        "v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + Array(repeating: "AB", count: 32).joined(separator: ":"), "a=setup:actpass",
        "a=mid:0", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "",
    ].joined(separator: "\r\n")
}
