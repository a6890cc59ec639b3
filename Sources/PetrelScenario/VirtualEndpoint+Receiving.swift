internal import PetrelCodecs
internal import PetrelCore
internal import PetrelMedia
internal import PetrelPeer
internal import PetrelPlayout

extension VirtualEndpoint {
    func show(_ frame: EncodedVideoFrame, now: Instant) {
        nextFrameID += 1
        if case .synthetic = configuration.video, !configuration.buffersSynthetic {
            guard let captured = frame.captureTime.flatMap({ trueTime(of: $0) }) else { return }
            seen.pictures.append(VirtualCallResult.Picture(captured: captured, rendered: clock.global(now), stamp: nil))
            syntheticFreezes.rendered(at: now)
            seen.freezes = syntheticFreezes.freezeCount
            return
        }
        let note = VideoReceiver.Frame(
            id: nextFrameID, timestamp: frame.timestamp,
            captureTime: frame.captureTime.map { wallClock.instant(of: $0) },
            size: frame.payload.count, isKeyFrame: frame.isKeyFrame, repairDelay: frame.repairDelay)
        if case .accept = screen.insert(note, arrival: now) { waiting.append((nextFrameID, frame)) }
    }

    /// Decodes and shows what is due.
    func watch(now: Instant) {
        if let done = decoding, done.done <= now {
            decoding = nil
            screen.decoded(done.id, took: configuration.decodeTime, hasPicture: done.hasPicture, failed: done.failed)
        }
        if decoding == nil, let order = screen.nextDecode(at: now) { decode(order, now: now) }
        if let order = screen.nextRender(at: now) { render(order, now: now) }
        if decoder != nil || configuration.buffersSynthetic { seen.freezes = screen.freezes.freezeCount }
    }

    private func decode(_ order: VideoReceiver.DecodeOrder, now: Instant) {
        waiting.removeAll { $0.id < order.id }
        if configuration.buffersSynthetic, decoder == nil, waiting.first?.id == order.id {
            waiting.removeFirst()
            if !order.isReferenceOnly { pictures.append((order.id, nil, nil)) }
            decoding = (order.id, now + configuration.decodeTime, !order.isReferenceOnly, false)
            return
        }
        guard let decoder, let frame = waiting.first, frame.id == order.id else {
            decoding = (order.id, now, false, true)
            return
        }
        waiting.removeFirst()
        var failed = false
        var shown = false
        do { shown = try metered(.videoDecoder, { try decoder.decode(frame.frame.payload.bytes) }) } catch {
            failed = true
            seen.decoderErrors += 1
        }
        let isToBeShown = shown && !order.isReferenceOnly
        if isToBeShown {
            metered(.testMedia) {
                let buffer = decoder.copy(from: &shownPictures)
                pictures.append((order.id, buffer.flatMap { PictureStamp.read($0) }, buffer))
            }
        }
        decoding = (order.id, now + configuration.decodeTime, isToBeShown, failed)
    }

    private func render(_ order: VideoReceiver.RenderOrder, now: Instant) {
        let picture = pictures.first { $0.id == order.id }
        pictures.removeAll { $0.id <= order.id }
        guard let picture, let captured = order.captureTime,
            let trueCapture = trueTime(of: wallClock.ntp(at: captured))
        else { return }
        let rendered = clock.global(now)
        let index = picture.stamp.flatMap { newestPicture(stamped: $0) }
        seen.pictures.append(
            VirtualCallResult.Picture(
                captured: trueCapture, rendered: rendered, stamp: picture.stamp, index: index,
                width: picture.buffer?.width, height: picture.buffer?.height))
        if judge != nil, let index, let buffer = picture.buffer {
            metered(.testMedia) { judge?.shown(index, buffer, captured: trueCapture, at: rendered) }
        }
        if let audioTrueDelay {
            seen.skews.append(((rendered - trueCapture) - audioTrueDelay).milliseconds)
        }
        videoDelay = AVSync.StreamDelay(
            captureToRender: now - captured, buffer: screen.timeline.currentDelay, own: screen.timeline.ownDelay)
        synchronise(now: now)
    }

    /// The newest picture the other side captured with this stamp: those with the same lie half a minute apart.
    private func newestPicture(stamped stamp: Int) -> Int? {
        guard let newest = other.map({ $0.pictureIndex - 1 }), newest >= 0, stamp >= 0 else { return nil }
        let modulus = PictureStamp.modulus
        let index = newest - ((newest - stamp) % modulus + modulus) % modulus
        return index >= 0 ? index : nil
    }

    func hear(_ packet: EncodedAudioPacket, now: Instant) {
        guard let speaker else { return }
        speaker.insert(
            timestamp: packet.timestamp, sequence: packet.sequence, payload: packet.payload, arrival: packet.arrival,
            captureTime: packet.captureTime.map { wallClock.instant(of: $0) }, origin: AudioOrigin(packet.origin),
            scheme: AudioRedundancyScheme(packet))
        if nextPull == .distantFuture { nextPull = now + pullPhase }
    }

    /// 10 ms of sound.
    func play(now: Instant) {
        guard let speaker else { return }
        nextPull += .milliseconds(10)
        let pull = metered(.audioDecoder) { speaker.pull(at: now, into: pulled) }
        guard pull.kind != .none else { return }
        let kind: VirtualCallResult.Sound.Kind =
            switch pull.kind {
            case .none, .normal: .normal
            case .silence: .silence
            case .recovered: .recovered
            case .concealed: .concealed
            }
        let captured = pull.captureTime.flatMap { trueTime(of: wallClock.ntp(at: $0)) }
        let played = clock.global(now)
        var energy = 0.0
        for sample in pulled { energy += Double(sample) * Double(sample) }
        seen.sounds.append(
            VirtualCallResult.Sound(
                captured: captured, played: played, kind: kind, level: (energy / Double(pulled.count)).squareRoot()))
        guard let captured, let local = pull.captureTime else { return }
        audioTrueDelay = played - captured
        audioDelay = AVSync.StreamDelay(
            captureToRender: now - local, buffer: pull.bufferDelay, own: pull.jitterDelay)
        if let speakerTrack { peer.setPlayoutDelay(speaker.targetDelay, of: speakerTrack) }
        synchronise(now: now)
    }

    private func synchronise(now: Instant) {
        guard let audioDelay, let videoDelay, now >= nextSync else { return }
        sync.setLoss(speaker?.packetLoss ?? 0)
        sync.update(audio: audioDelay, video: videoDelay, at: now)
        nextSync = now + sync.interval
        speaker?.setMinimumDelay(sync.audioMinimum)
        screen.setMinimumDelay(sync.videoMinimum)
    }
}

extension AudioOrigin {
    init(_ origin: AudioPacketOrigin) {
        switch origin {
        case .media: self = .media
        case .redundancy: self = .redundancy
        case .retransmission: self = .retransmission
        }
    }
}

extension AudioRedundancyScheme {
    init(_ packet: EncodedAudioPacket) {
        self.init(
            reach: Int(packet.redundancyReach), depth: Int(packet.redundancyDepth),
            distance: Int(packet.redundancyDistance))
    }
}
