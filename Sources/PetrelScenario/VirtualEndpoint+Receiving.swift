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
            if !order.isReferenceOnly { pictures.append((order.id, nil)) }
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
            var pool = I420BufferPool(limit: 1)
            let stamp = metered(.testMedia) { decoder.copy(from: &pool).flatMap { PictureStamp.read($0) } }
            pictures.append((order.id, stamp))
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
        seen.pictures.append(
            VirtualCallResult.Picture(captured: trueCapture, rendered: rendered, stamp: picture.stamp))
        if let audioTrueDelay {
            seen.skews.append(((rendered - trueCapture) - audioTrueDelay).milliseconds)
        }
        videoDelay = AVSync.StreamDelay(
            captureToRender: now - captured, buffer: screen.timeline.currentDelay, own: screen.timeline.ownDelay)
        synchronise(now: now)
    }

    func hear(_ packet: EncodedAudioPacket, now: Instant) {
        guard let speaker else { return }
        speaker.insert(
            timestamp: packet.timestamp, sequence: packet.sequence, payload: packet.payload, arrival: packet.arrival,
            captureTime: packet.captureTime.map { wallClock.instant(of: $0) })
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
            case .recoveredByFEC: .recovered
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
        synchronise(now: now)
    }

    private func synchronise(now: Instant) {
        guard let audioDelay, let videoDelay, now >= nextSync else { return }
        sync.update(audio: audioDelay, video: videoDelay, at: now)
        nextSync = now + sync.interval
        speaker?.setMinimumDelay(sync.audioMinimum)
        screen.setMinimumDelay(sync.videoMinimum)
    }
}
