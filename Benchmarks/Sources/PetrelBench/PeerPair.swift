import BenchSupport
import PetrelCore
import PetrelPeer
import PetrelSecurity
import PetrelWire

/// Which cipher protects media while it is measured.
enum Cipher: String, CaseIterable {
    case none = "none"
    case gcm128 = "AES-128-GCM"
    case gcm256 = "AES-256-GCM"
    case counterMode = "AES-128-CM SHA1-80"

    private var profile: SRTPProfile? {
        switch self {
        case .none: nil
        case .gcm128: .aeadAES128GCM
        case .gcm256: .aeadAES256GCM
        case .counterMode: .aes128CMSHA1_80
        }
    }

    func session(_ role: DTLSRole) throws -> SRTPSession {
        guard let profile else { return .noEncryptionForBenchmarks() }
        let bytes = (0..<(2 * (profile.keyLength + profile.saltLength))).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        guard let material = SRTPKeyingMaterial(profile: profile, exported: bytes) else {
            throw BenchmarkError("no keys for \(profile)")
        }
        return try SRTPSession(material, role: role)
    }
}

/// Two connected peers in one process and virtual time, one of which sends. Media is measured; what the peers say to
/// each other besides (RTCP, checks) is done between the measured sections.
final class PeerPair {
    static let frameInterval = TimeDelta.microseconds(33_333)
    static let audioInterval = TimeDelta.milliseconds(20)

    private let sender: Peer
    private let receiver: Peer
    private let senderAddress = TransportAddress(ipv4: 0x0A00_0001, port: 5001)
    private let receiverAddress = TransportAddress(ipv4: 0x0A00_0002, port: 5002)
    private let video: LocalTrackID
    private let audio: LocalTrackID
    private var now: Instant
    private var toReceiver = EgressBatch(capacity: 1024)
    private var toSender = EgressBatch(capacity: 1024)
    private var media: [Int] = []
    private let frame: FrameBuffer
    private let keyFrame: FrameBuffer
    private let sound: FrameBuffer
    private var ticks: Int64 = 0
    private var sentFrames = 0
    /// Every so manieth media datagram is lost; 0: none.
    var losesEvery = 0
    private var offered = 0

    /// Frames and audio packets the receiver handed out.
    private(set) var framesReceived = 0
    private(set) var soundsReceived = 0
    var meter = Meter()
    var sendVideo = Tally()
    var receiveVideo = Tally()
    var sendAudio = Tally()
    var receiveAudio = Tally()

    /// - Parameter frameBytes: the size of each encoded frame; 6,600 bytes are six packets, 1.6 Mbit/s at 30 a second.
    init(cipher: Cipher, frameBytes: Int = 6600) throws {
        let begin = Instant.zero + .seconds(1000)
        now = begin
        let wallClock = WallClock(unixNanoseconds: 1_767_225_600_000_000_000, at: begin)
        func peer(_ seed: UInt64, _ role: Bool) throws -> Peer {
            var configuration = PeerConfiguration(
                wallClock: wallClock, certificate: try Certificate.make(unixTime: 1_767_225_600, labSeed: seed))
            configuration.ice.addressPolicy = .lab
            configuration.labSeed = seed
            return try Peer(
                configuration: configuration, role: role ? .controlling : .controlled, random: RandomSource(seed: seed),
                now: begin)
        }
        sender = try peer(1, true)
        receiver = try peer(2, false)
        video = try sender.addTrack(.video, streamID: "bench")
        audio = try sender.addTrack(.audio, streamID: "bench")
        // The head of a VP8 frame (RFC 6386 section 9.1): its lowest bit says "not a key frame".
        frame = FrameBuffer((0..<frameBytes).map { $0 == 0 ? 0x11 : UInt8(truncatingIfNeeded: $0 &* 31) })
        keyFrame = FrameBuffer((0..<frameBytes).map { $0 == 0 ? 0x10 : UInt8(truncatingIfNeeded: $0 &* 31) })
        sound = FrameBuffer((0..<80).map { UInt8(truncatingIfNeeded: $0 &* 17) })
        media.reserveCapacity(1024)
        try connect()
        guard receiver.replaceCipherForBenchmarks(try cipher.session(.server)),
            sender.replaceCipherForBenchmarks(try cipher.session(.client))
        else { throw BenchmarkError("the handshake left no keys to replace") }
    }

    private func connect() throws {
        for (peer, address) in [(sender, senderAddress), (receiver, receiverAddress)] {
            peer.addLocalAddress(address, now: now)
            peer.endOfLocalAddresses(now: now)
        }
        let offer = try sender.createOffer(now: now)
        let answer = try receiver.answer(offer: offer, now: now, into: &toSender)
        try sender.accept(answer: answer, now: now, into: &toReceiver)
        let end = now + .seconds(5)
        while now < end, sender.state != .connected || receiver.state != .connected || !sender.canSend(video) {
            control()
            now += .milliseconds(5)
        }
        guard sender.state == .connected, receiver.state == .connected else {
            throw BenchmarkError("the peers did not connect: \(sender.state), \(receiver.state)")
        }
    }

    /// Everything that is due besides media, unmeasured, until both have nothing to say.
    private func control() {
        repeat {
            if sender.nextDeadline <= now { sender.handleTimeout(now: now, into: &toReceiver) }
            if receiver.nextDeadline <= now { receiver.handleTimeout(now: now, into: &toSender) }
            deliver(audio: false)
            // The way back takes time, so that a round trip is measured.
            if toSender.count > 0 { now += .milliseconds(1) }
            for index in 0..<toSender.count {
                sender.receive(
                    UnsafeMutableRawBufferPointer(mutating: toSender.bytes(index)), from: receiverAddress,
                    to: senderAddress, now: now, into: &toReceiver)
            }
            toSender.removeAll()
        } while toReceiver.count > 0
        _ = sender.takeEvents()
        _ = receiver.takeEvents()
    }

    /// Hands the receiver what the sender sent: media measured, everything else not.
    private func deliver(audio isAudio: Bool) {
        media.removeAll(keepingCapacity: true)
        for index in 0..<toReceiver.count {
            let bytes = toReceiver.bytes(index)
            if Demultiplexer.classify(bytes.bytes) == .rtp {
                offered += 1
                if losesEvery == 0 || !offered.isMultiple(of: losesEvery) { media.append(index) }
            } else {
                receiver.receive(
                    UnsafeMutableRawBufferPointer(mutating: bytes), from: senderAddress, to: receiverAddress, now: now,
                    into: &toSender)
            }
        }
        receiver.drainEvents { _ in }
        if !media.isEmpty {
            let meter = meter
            if isAudio {
                meter.measure(&receiveAudio, receiveMedia)
            } else {
                meter.measure(&receiveVideo, receiveMedia)
            }
        }
        toReceiver.removeAll()
    }

    private func receiveMedia() -> Int? {
        for index in media {
            receiver.receive(
                UnsafeMutableRawBufferPointer(mutating: toReceiver.bytes(index)), from: senderAddress,
                to: receiverAddress, now: now, into: &toSender)
        }
        receiver.drainEvents { event in
            switch event {
            case .videoFrame(_, let frame):
                framesReceived += 1
                consume(frame.payload.count)
            case .audioPacket(_, let packet):
                soundsReceived += 1
                consume(packet.payload.count)
            default: break
            }
        }
        consume(receiver.nextDeadline == now ? 1 : 0)
        return media.count
    }

    /// Whether the sender has something to do that is not media.
    private var senderHasControl: Bool {
        sender.deadline(.ice) <= now || sender.deadline(.dtls) <= now || sender.deadline(.feedback) <= now
            || sender.deadline(.reports) <= now
    }

    /// One video frame: cut, paced, protected, opened, put together.
    func videoFrame() throws {
        now += Self.frameInterval
        control()
        let isKeyFrame = sentFrames == 0
        sentFrames += 1
        let bytes = isKeyFrame ? keyFrame.bytes : frame.bytes
        let meter = meter
        var taken = false
        meter.measure(&sendVideo) {
            taken = sender.sendVideo(
                bytes, isKeyFrame: isKeyFrame, track: video, captured: now, now: now, into: &toReceiver)
            var isMixed = false
            while true {
                let deadline = sender.nextDeadline
                let pacing = sender.deadline(.pacing)
                guard pacing != .distantFuture else { break }
                now = max(now, min(deadline, pacing))
                if senderHasControl { isMixed = true }
                sender.handleTimeout(now: now, into: &toReceiver)
            }
            return isMixed ? nil : toReceiver.count
        }
        guard taken else { throw BenchmarkError("frame \(sentFrames) was not taken: \(drops)") }
        deliver(audio: false)
    }

    /// 20 ms of sound.
    func audioPacket() throws {
        now += Self.audioInterval
        control()
        let meter = meter
        var taken = false
        meter.measure(&sendAudio) {
            taken = sender.sendAudio(
                sound.bytes, ticks: ticks, track: audio, captured: now, now: now, into: &toReceiver)
            return toReceiver.count
        }
        ticks += 960
        guard taken else { throw BenchmarkError("sound was not taken: \(drops)") }
        deliver(audio: true)
    }

    /// Begins a new run.
    func forget() {
        framesReceived = 0
        soundsReceived = 0
        sendVideo = Tally()
        receiveVideo = Tally()
        sendAudio = Tally()
        receiveAudio = Tally()
    }

    var drops: String { "sender \(sender.drops.nonZero), receiver \(receiver.drops.nonZero)" }
}
