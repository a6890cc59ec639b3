import PetrelCore
import PetrelMedia
import PetrelPeer

/// Two peers on a network that loses, doubles, changes and delays what the input says. What arrives as media is what
/// was sent, to the octet.
func fuzzTwoPeers(_ cursor: inout ByteCursor) {
    let scene = TwoPeers()
    while !cursor.isEmpty { scene.act(&cursor) }
    // Left alone, both end or go on; neither works without end.
    for _ in 0..<10 { scene.advance(.milliseconds(100)) }
    for _ in 0..<5 { scene.advance(.seconds(10)) }
    for index in 0..<2 {
        scene.peers[index].close(now: scene.now, into: &scene.out)
        scene.settle(index)
        require(scene.peers[index].nextDeadline == .distantFuture, "closed is closed")
    }
}

private final class TwoPeers {
    let peers: [Peer]
    var tracks: [[LocalTrackID]] = [[], []]
    var now = Instant.zero + .seconds(1)
    var out = EgressBatch(capacity: 256)
    var flying: [(bytes: [UInt8], to: Int)] = []
    private var sentMedia: Set<[UInt8]> = []
    private var count: UInt8 = 0
    private var ticks: Int64 = 0

    init() {
        peers = [
            PeerScene.makePeer(offers: true, seed: 21, now: now), PeerScene.makePeer(offers: false, seed: 22, now: now),
        ]
        for index in 0..<2 {
            for kind in [StreamKind.audio, .video] {
                tracks[index].append(made { try peers[index].addTrack(kind, streamID: "s") })
            }
            peers[index].addLocalAddress(Addresses.at(UInt8(index)), now: now)
            peers[index].endOfLocalAddresses(now: now)
        }
        negotiate(from: 0)
    }

    func negotiate(from offerer: Int) {
        let other = 1 - offerer
        guard let offer = try? peers[offerer].createOffer(now: now) else { return }
        guard let answer = try? peers[other].answer(offer: offer, now: now, into: &out) else {
            settle(other)
            try? peers[offerer].rollback()
            return
        }
        settle(other)
        try? peers[offerer].accept(answer: answer, now: now, into: &out)
        settle(offerer)
    }

    func act(_ cursor: inout ByteCursor) {
        let code = cursor.byte()
        let which = Int(code >> 7)
        switch code & 15 {
        case 0, 1: advance(cursor.step())
        case 2, 3, 4: for _ in 0..<(1 + Int(code >> 4 & 7)) { deliver() }
        case 5: if !flying.isEmpty { flying.removeFirst() }
        case 6: if let first = flying.first { receive(first.bytes, at: first.to) }
        case 7:
            guard !flying.isEmpty else { break }
            var datagram = flying.removeFirst()
            datagram.bytes[Int(cursor.word()) % datagram.bytes.count] ^= max(1, cursor.byte())
            receive(datagram.bytes, at: datagram.to)
        case 8: if flying.count > 1 { flying.append(flying.removeFirst()) }
        case 9: receive(Array(cursor.chunk()), at: which)
        case 10: video(which, size: 1 + Int(cursor.word()) % 12_000, isKeyFrame: code & 16 == 0)
        case 11: audio(which, size: 1 + Int(cursor.byte()))
        case 12: for _ in 0..<8 { advance(.milliseconds(10), delivering: true) }
        case 13: negotiate(from: which)
        case 14:
            try? peers[which].restartICE(now: now)
            if code & 16 != 0 { negotiate(from: which) }
        default:
            if code & 16 != 0 { try? peers[which].removeTrack(tracks[which][Int(cursor.byte()) & 1]) }
            if code & 32 != 0 { peers[which].close(now: now, into: &out) }
        }
        for index in 0..<2 { settle(index) }
    }

    private func video(_ which: Int, size: Int, isKeyFrame: Bool) {
        count &+= 1
        // The lowest bit of a VP8 frame says that it is no key frame.
        let frame = [isKeyFrame ? 0x10 : 0x11, count, UInt8(which)] + [UInt8](repeating: count, count: size)
        sentMedia.insert(frame)
        frame.withUnsafeBytes {
            _ = peers[which].sendVideo(
                $0, isKeyFrame: isKeyFrame, track: tracks[which][1], captured: now, now: now, into: &out)
        }
    }

    private func audio(_ which: Int, size: Int) {
        count &+= 1
        ticks += 960
        let packet = [0x78, count, UInt8(which)] + [UInt8](repeating: count, count: size)
        sentMedia.insert(packet)
        packet.withUnsafeBytes {
            _ = peers[which].sendAudio(
                $0, ticks: ticks, track: tracks[which][0], captured: now, now: now, into: &out)
        }
    }

    func advance(_ step: TimeDelta, delivering: Bool = false) {
        now += step
        for index in 0..<2 {
            for _ in 0..<8 where peers[index].nextDeadline <= now {
                peers[index].handleTimeout(now: now, into: &out)
                settle(index)
            }
            PeerScene.requireNothingDue(peers[index], now: now)
        }
        if delivering { for _ in 0..<flying.count { deliver() } }
    }

    private func deliver() {
        guard !flying.isEmpty else { return }
        let datagram = flying.removeFirst()
        receive(datagram.bytes, at: datagram.to)
    }

    private func receive(_ bytes: [UInt8], at index: Int) {
        bytes.withUnsafeBytes { bytes in
            withCopy(of: bytes) {
                _ = peers[index].receive(
                    $0, from: Addresses.at(UInt8(1 - index)), to: Addresses.at(UInt8(index)), now: now, into: &out)
            }
        }
        settle(index)
    }

    func settle(_ index: Int) {
        for entry in 0..<out.count where flying.count < 512 {
            flying.append((Array(out.bytes(entry)), 1 - index))
        }
        out.removeAll()
        for event in peers[index].takeEvents() {
            switch event {
            case .videoFrame(_, let frame):
                require(sentMedia.contains(Array(frame.payload.bytes)), "a frame nobody sent")
            case .audioPacket(_, let packet):
                require(sentMedia.contains(Array(packet.payload.bytes)), "sound nobody sent")
            default: break
            }
        }
    }
}
