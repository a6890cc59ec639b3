import PetrelCore
import PetrelICE
import PetrelMedia
import PetrelPeer
import PetrelSDP
import PetrelWire

/// One endpoint from outside: datagrams, calls of its owner and time, in an order that the input says.
///
/// The first octet is the scene: 0: a peer that knows nobody yet; 1: it has offered and is connected to a
/// ``RemoteEndpoint`` whose keys we hold; 2: the same, but it has answered; 3: two peers on a bad network
/// (``fuzzTwoPeers(_:)``). With bit 2 the scenes 1 and 2 begin with offer and answer only. Each further octet is an action with its arguments behind it.
func fuzzWholePeer(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let flags = cursor.byte()
    let mode = flags & 3
    guard mode < 3 else { return fuzzTwoPeers(&cursor) }
    let scene = PeerScene(offers: mode != 2)
    if mode > 0 { scene.negotiate(offers: mode == 1) }
    if mode > 0, flags & 4 == 0 { scene.connect() }
    while !cursor.isEmpty { scene.act(&cursor) }
    for _ in 0..<4 { scene.advance(.seconds(10)) }
    scene.close()
}

/// A peer, what it has sent, and who may be at the other end.
final class PeerScene {
    static let address = Addresses.at(0)
    let peer: Peer
    var remote: RemoteEndpoint?
    var now = Instant.zero + .seconds(1)
    var out = EgressBatch(capacity: 256)
    var sent: [(bytes: [UInt8], to: TransportAddress)] = []
    var tracks: [LocalTrackID] = []
    private var sequence: UInt16 = 1
    private var timestamp: UInt32 = 1
    private var ticks: Int64 = 0

    init(offers: Bool) {
        peer = PeerScene.makePeer(offers: offers, seed: 21, now: now)
        for kind in [StreamKind.audio, .video] { tracks.append(made { try peer.addTrack(kind, streamID: "s") }) }
        peer.addLocalAddress(Self.address, now: now)
        peer.endOfLocalAddresses(now: now)
        _ = peer.takeEvents()
    }

    static func makePeer(offers: Bool, seed: UInt64, now: Instant) -> Peer {
        var configuration = PeerConfiguration(
            wallClock: WallClock(unixNanoseconds: 1_760_000_000_000_000_000, at: .zero),
            certificate: seed == 21 ? Identities.ours : Identities.theirs)
        configuration.labSeed = seed
        return made {
            try Peer(
                configuration: configuration, role: offers ? .controlling : .controlled,
                random: RandomSource(seed: seed), now: now)
        }
    }

    func negotiate(offers: Bool) {
        let remote = RemoteEndpoint(role: offers ? .controlled : .controlling, now: now)
        self.remote = remote
        made {
            if offers {
                let answer = try remote.answer(try peer.createOffer(now: now), now: now)
                try peer.accept(answer: answer, now: now, into: &out)
            } else {
                let offer = try remote.offer()
                try remote.accept(try peer.answer(offer: offer, now: now, into: &out), now: now)
            }
        }
        settle()
    }

    func connect() {
        guard let remote else { return }
        var steps = 0
        while peer.state != .connected || remote.srtp == nil {
            steps += 1
            require(steps < 2000, "a peer connects: \(peer.state)")
            exchange()
            let due = min(peer.nextDeadline, remote.nextDeadline)
            now = max(now, min(due, now + .milliseconds(5)))
            if remote.nextDeadline <= now { remote.handleTimeout(now: now) }
            if peer.nextDeadline <= now { peer.handleTimeout(now: now, into: &out) }
            settle()
        }
    }

    // MARK: Actions

    func act(_ cursor: inout ByteCursor) {
        switch cursor.byte() & 31 {
        case 0, 1: advance(cursor.step())
        case 2, 3: exchange()
        case 4: sent.removeAll()
        case 5: remote?.sent.removeAll()
        case 6: deliver(Array(cursor.chunk()))
        case 7:
            let from = Addresses.at(cursor.byte())
            deliver(Array(cursor.chunk()), from: from)
        case 8, 9, 10, 11: media(&cursor)
        case 12: protect(&cursor, isRTCP: false)
        case 13: protect(&cursor, isRTCP: true)
        case 14, 15: control(&cursor)
        case 16: sendVideo(&cursor)
        case 17: sendAudio(&cursor)
        case 18:
            let kind: StreamKind = cursor.flag() ? .audio : .video
            if tracks.count < 8, let track = try? peer.addTrack(kind, streamID: "t") { tracks.append(track) }
        case 19: try? peer.removeTrack(tracks[Int(cursor.byte()) % tracks.count])
        case 20: _ = try? peer.createOffer(now: now)
        case 21: try? peer.rollback()
        case 22: try? peer.accept(answer: text(cursor.chunk()), now: now, into: &out)
        case 23: _ = try? peer.answer(offer: text(cursor.chunk()), now: now, into: &out)
        case 24: try? peer.addRemoteCandidate(text(cursor.chunk()), index: 0, now: now, into: &out)
        case 25: try? peer.restartICE(now: now)
        case 26: renegotiate(peerOffers: cursor.flag())
        case 27:
            if cursor.byte() == 0xFF { peer.close(now: now, into: &out) } else { tick() }
        case 28:
            let index = cursor.byte()
            let address = Addresses.at(index >> 1)
            if index & 1 == 0 {
                peer.addLocalAddress(address, now: now)
            } else {
                peer.removeLocalAddress(address, now: now)
            }
        case 29:
            // The remote's NAT has given it another address.
            let from = Addresses.at(cursor.byte())
            for datagram in takeRemote() { deliver(datagram, from: from) }
        case 30:
            if cursor.byte() == 0xFF { remote?.closeDTLS() } else { tick() }
        default:
            try? peer.addReceivingSection(cursor.flag() ? .audio : .video)
            peer.endOfLocalAddresses(now: now)
        }
        settle()
    }

    private func tick() { advance(.milliseconds(20)) }

    func advance(_ step: TimeDelta) {
        now += step
        if let remote, remote.nextDeadline <= now { remote.handleTimeout(now: now) }
        for _ in 0..<8 where peer.nextDeadline <= now {
            peer.handleTimeout(now: now, into: &out)
            settle()
        }
        Self.requireNothingDue(peer, now: now)
    }

    static func requireNothingDue(_ peer: Peer, now: Instant) {
        guard peer.nextDeadline <= now else { return }
        let due = Peer.DeadlineReason.allCases.filter { peer.deadline($0) <= now }
        require(false, "what was due is done, not so: \(due) in state \(peer.state)")
    }

    /// Everything in flight arrives.
    private func exchange() {
        let forth = sent
        sent.removeAll()
        for datagram in forth where datagram.to == RemoteEndpoint.address {
            remote?.receive(datagram.bytes, from: Self.address, now: now)
        }
        for datagram in takeRemote() { deliver(datagram) }
        settle()
    }

    private func takeRemote() -> [[UInt8]] {
        let datagrams = remote?.sent.map(\.bytes) ?? []
        remote?.sent.removeAll()
        return datagrams
    }

    func deliver(_ bytes: [UInt8], from: TransportAddress = RemoteEndpoint.address) {
        let wasClosed = peer.state == .closed
        bytes.withUnsafeBytes { bytes in
            withCopy(of: bytes) { _ = peer.receive($0, from: from, to: Self.address, now: now, into: &out) }
        }
        require(!wasClosed || out.count == 0, "who is closed says nothing")
        settle()
    }

    // MARK: Authentic packets of any content

    private func protect(_ cursor: inout ByteCursor, isRTCP: Bool) {
        var plain = Array(cursor.chunk())
        if !plain.isEmpty { plain[0] = plain[0] & 0x3F | 0x80 }
        if isRTCP, plain.count > 1 { plain[1] = 200 &+ plain[1] % 8 }
        if let bytes = remote?.protect(plain, isRTCP: isRTCP) { deliver(bytes) }
    }

    /// RTP of one of the negotiated kinds, with a sequence that mostly goes on.
    private func media(_ cursor: inout ByteCursor) {
        let shape = cursor.byte()
        let isRepair = shape & 3 == 2
        var payloadType: UInt8 = [111, 96, 97, 96][Int(shape & 3)]
        var ssrc = [RemoteEndpoint.audioSource, RemoteEndpoint.videoSource, RemoteEndpoint.repairSource, 300][
            Int(shape & 3)]
        switch shape >> 2 & 7 {
        case 0: sequence = cursor.word()
        case 1: sequence &+= UInt16(cursor.byte())
        case 2: payloadType = cursor.byte() & 0x7F
        case 3: ssrc = cursor.long()
        case 4: timestamp = cursor.long()
        case 5: ssrc = UInt32(cursor.byte())
        default: timestamp &+= 1500
        }
        sequence &+= 1
        var extensions = RTPExtensions()
        if shape & 0x20 != 0 { extensions.transportSequenceNumber = cursor.word() }
        if shape & 0x40 != 0 { extensions.mid = ShortToken(["0", "1", "7"][Int(cursor.byte()) % 3]) }
        let original = sequence &- 1
        var payload = isRepair ? [UInt8(original >> 8), UInt8(original & 0xFF)] : []
        payload += Array(cursor.chunk())
        var packet = [UInt8](repeating: 0, count: 128 + payload.count)
        var offsets = RTPExtensionOffsets()
        let header = packet.withUnsafeMutableBytes {
            RTPHeader.write(
                into: $0, marker: shape & 0x80 != 0, payloadType: payloadType, sequenceNumber: sequence,
                timestamp: timestamp, ssrc: ssrc, extensions: extensions, map: extensionMap, offsets: &offsets)
        }
        guard let header else { return }
        packet.replaceSubrange(header..., with: payload)
        if let bytes = remote?.protect(packet, isRTCP: false) { deliver(bytes) }
    }

    /// RTCP about the streams that there are.
    private func control(_ cursor: inout ByteCursor) {
        let shape = cursor.byte()
        let outbound = peer.statistics(now: now).outbound
        let media =
            outbound.isEmpty ? UInt32(cursor.byte()) : outbound[Int(cursor.byte()) % outbound.count].ssrc
        let own = shape & 0x80 == 0 ? RemoteEndpoint.videoSource : UInt32(cursor.byte())
        let packet: RTCPPacket
        switch shape & 7 {
        case 0:
            let base = cursor.word()
            packet = .nack(
                RTCPNack(
                    senderSSRC: own, mediaSSRC: media, sequenceNumbers: (0...UInt16(cursor.byte())).map { base &+ $0 }))
        case 1: packet = .pictureLoss(RTCPPictureLoss(senderSSRC: own, mediaSSRC: media))
        case 2:
            packet = .fullIntraRequest(
                RTCPFullIntraRequest(
                    senderSSRC: own, entries: [.init(ssrc: media, sequenceNumber: cursor.byte())]))
        case 3:
            packet = .senderReport(
                RTCPSenderReport(
                    ssrc: own, ntpTime: NTPTime(bits: cursor.quad()), rtpTimestamp: cursor.long(), packetCount: 1,
                    octetCount: 1, reports: []))
        case 4: packet = .bye(RTCPBye(sources: [own]))
        case 5:
            packet = .receiverReport(
                RTCPReceiverReport(
                    ssrc: own,
                    reports: [
                        RTCPReportBlock(
                            ssrc: media, fractionLost: cursor.byte(), cumulativeLost: Int32(cursor.byte()),
                            extendedHighestSequenceNumber: cursor.long(), jitter: cursor.long(),
                            lastSenderReport: cursor.long(), delaySinceLastSenderReport: cursor.long())
                    ]))
        default:
            let count = Int(cursor.byte()) + 1
            packet = .transportFeedback(
                TransportFeedback(
                    senderSSRC: own, mediaSSRC: media, baseSequenceNumber: cursor.word(),
                    referenceTime: Int32(truncatingIfNeeded: cursor.long()) >> 8, feedbackPacketCount: cursor.byte(),
                    statuses: (0..<count).map { _ in
                        let code = cursor.byte()
                        return code & 3 == 3
                            ? .notReceived
                            : .received(delta: Int16(truncatingIfNeeded: Int(code) * (code & 4 == 0 ? 1 : -97)))
                    }))
        }
        var writer = RTCPWriter()
        guard writer.append(packet), let bytes = remote?.protect(writer.bytes, isRTCP: true) else { return }
        deliver(bytes)
    }

    // MARK: The owner

    private func sendVideo(_ cursor: inout ByteCursor) {
        let shape = cursor.byte()
        let frame = [UInt8](repeating: shape, count: 1 + Int(cursor.word()) % 20_000)
        frame.withUnsafeBytes {
            _ = peer.sendVideo(
                $0, isKeyFrame: shape & 1 == 0, track: tracks[Int(shape >> 1) % tracks.count], captured: now, now: now,
                into: &out)
        }
    }

    private func sendAudio(_ cursor: inout ByteCursor) {
        let shape = cursor.byte()
        ticks += 960
        cursor.chunk().withMemoryRebound(to: UInt8.self) { payload in
            _ = peer.sendAudio(
                UnsafeRawBufferPointer(payload), ticks: ticks, level: AudioLevel(level: shape, isVoice: shape & 1 == 0),
                track: tracks[Int(shape >> 1) % tracks.count], captured: now, now: now, into: &out)
        }
    }

    private func renegotiate(peerOffers: Bool) {
        guard let remote else { return }
        if peerOffers {
            guard let offer = try? peer.createOffer(now: now), let answer = try? remote.answer(offer, now: now) else {
                return
            }
            try? peer.accept(answer: answer, now: now, into: &out)
        } else {
            guard let offer = try? remote.offer(), let answer = try? peer.answer(offer: offer, now: now, into: &out)
            else { return }
            try? remote.accept(answer, now: now)
        }
    }

    // MARK: What follows

    private func settle() {
        for index in 0..<out.count {
            let entry = out.entry(index)
            require(entry.length <= EgressBatch.maximumDatagram, "a datagram has its greatest length")
            if sent.count < 512 { sent.append((Array(out.bytes(index)), entry.destination)) }
        }
        out.removeAll()
        let events = peer.takeEvents()
        require(events.count <= 4096, "events are bounded: \(events.count)")
    }

    func close() {
        peer.close(now: now, into: &out)
        settle()
        require(peer.state == .closed && peer.nextDeadline == .distantFuture, "closed is closed")
    }
}
