import PetrelCore
import PetrelICE
import PetrelMedia
import PetrelPeer
import PetrelSDP
import PetrelSecurity
import PetrelWire

/// The other side of a call, put together by hand, so that a target holds its keys: what it protects is authentic,
/// whatever it says. Only so does an input reach the code behind authentication.
final class RemoteEndpoint {
    static let address = Addresses.at(1)
    static let (audioSource, videoSource, repairSource) = (UInt32(101), UInt32(202), UInt32(203))

    var agent: ICEAgent
    var negotiator: Negotiator
    private(set) var dtls: DTLSEngine?
    private(set) var srtp: SRTPSession?
    /// What waits to arrive at the peer.
    var sent: [(bytes: [UInt8], to: TransportAddress)] = []
    private var random = RandomSource(seed: 77)
    private var out = EgressBatch(capacity: 16)
    private var isStarted = false
    private var srtpRole = PetrelSecurity.DTLSRole.client

    init(role: ICERole, now: Instant) {
        agent = ICEAgent(configuration: ICEConfiguration(), role: role, random: &random, now: now)
        agent.addLocalCandidate(Self.address, now: now)
        negotiator = Negotiator(transport: Self.transport(agent), sessionID: 9)
    }

    private static func transport(_ agent: ICEAgent) -> LocalTransport {
        made {
            guard
                let fingerprint = PetrelSDP.Fingerprint(.sha256, Identities.theirs.fingerprint(.sha256).bytes)
            else { throw SDPError(.noFingerprint, "fixture") }
            var transport = try LocalTransport(
                iceUfrag: agent.localUfrag, icePassword: agent.localPassword, fingerprints: [fingerprint],
                tlsID: "fedcba9876543210fedcba98")
            try transport.setCandidates(agent.localCandidates.compactMap(\.attribute), endOfCandidates: true)
            return transport
        }
    }

    // MARK: Signalling

    private func track(_ kind: MediaKind) throws(SDPError) -> LocalTrack {
        kind == .audio
            ? try LocalTrack(streamID: "r", trackID: "ra", ssrc: Self.audioSource, cname: "remote")
            : try LocalTrack(
                streamID: "r", trackID: "rv", ssrc: Self.videoSource, rtxSSRC: Self.repairSource, cname: "remote")
    }

    func offer() throws(SDPError) -> String {
        negotiator.transport = Self.transport(agent)
        if negotiator.transceivers.isEmpty {
            for kind in [MediaKind.audio, .video] {
                try negotiator.addTransceiver(kind, direction: .sendrecv, track: try track(kind))
            }
        }
        let offer = try negotiator.createOffer()
        try negotiator.applyLocal(offer, .offer)
        return try offer.text()
    }

    func answer(_ offer: String, now: Instant) throws(SDPError) -> String {
        try negotiator.applyRemote(offer, .offer)
        if negotiator.remoteOfferRestartsICE {
            agent.restart(random: &random, now: now)
            negotiator.transport = Self.transport(agent)
        }
        for kind in [MediaKind.audio, .video]
        where !negotiator.transceivers.contains(where: { $0.track != nil && $0.kind == kind }) {
            guard let free = negotiator.transceivers.first(where: { $0.kind == kind && $0.track == nil }) else {
                continue
            }
            try negotiator.setTrack(try track(kind), of: free.id)
            try negotiator.setDirection(.sendrecv, of: free.id)
        }
        let answer = try negotiator.createAnswer()
        try negotiator.applyLocal(answer, .answer)
        learn(now: now)
        return try answer.text()
    }

    func accept(_ answer: String, now: Instant) throws(SDPError) {
        try negotiator.applyRemote(answer, .answer)
        learn(now: now)
    }

    private func learn(now: Instant) {
        guard let transport = negotiator.session?.transport else { return }
        agent.setRemoteCredentials(
            ufrag: transport.remoteUfrag, password: transport.remotePassword, isLite: transport.remoteIsICELite,
            now: now)
        for line in transport.remoteCandidates {
            if let candidate = ICECandidate(line) { agent.addRemoteCandidate(candidate, now: now) }
        }
        guard dtls == nil else { return }
        var configuration = DTLSEngine.Configuration()
        configuration.labSeed = 5
        srtpRole = transport.role == .client ? .client : .server
        let engine = DTLSEngine(role: srtpRole, certificate: Identities.theirs, configuration: configuration)
        engine.expect(fingerprints: [Identities.ours.fingerprint()], now: now) { _ in }
        dtls = engine
    }

    // MARK: Transport

    var nextDeadline: Instant { min(agent.nextDeadline, dtls?.nextDeadline ?? .distantFuture) }

    func handleTimeout(now: Instant) {
        agent.handleTimeout(now: now, random: &random, out: &out)
        dtls?.handleTimeout(now: now) { emit($0) }
        settle(now: now)
    }

    func receive(_ bytes: [UInt8], from: TransportAddress, now: Instant) {
        bytes.withUnsafeBytes { bytes in
            switch Demultiplexer.classify(bytes.bytes) {
            case .stun:
                _ = agent.receive(bytes.bytes, from: from, to: Self.address, now: now, random: &random, out: &out)
            case .dtls:
                _ = dtls?.receive(bytes, now: now) { emit($0) }
            default: break
            }
        }
        settle(now: now)
    }

    func closeDTLS() { dtls?.close { emit($0) } }

    private func emit(_ bytes: UnsafeRawBufferPointer) {
        guard let path = agent.sendPath, sent.count < 64 else { return }
        sent.append((Array(bytes), path.remote))
    }

    private func settle(now: Instant) {
        if let dtls, agent.sendPath != nil, !isStarted {
            isStarted = true
            dtls.start(now: now) { emit($0) }
        }
        for index in 0..<out.count where sent.count < 64 {
            sent.append((Array(out.bytes(index)), out.entry(index).destination))
        }
        out.removeAll()
        while agent.nextEvent() != nil {}
        if srtp == nil, let material = dtls?.exportKeyingMaterial() {
            srtp = made { try SRTPSession(material, role: srtpRole) }
        }
    }

    /// Protects what the input says as RTP or RTCP; nothing where it is too far from that.
    func protect(_ plain: [UInt8], isRTCP: Bool) -> [UInt8]? {
        guard let srtp else { return nil }
        return plain.withUnsafeBytes { bytes in
            withCopy(of: bytes, room: SRTPSession.rtcpTrailerRoom) { copy in
                let length =
                    isRTCP
                    ? try? srtp.protectRTCP(copy, length: plain.count)
                    : try? srtp.protectRTP(copy, length: plain.count)
                return length.map { Array(copy[..<$0]) }
            }
        }
    }
}
