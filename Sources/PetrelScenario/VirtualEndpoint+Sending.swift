internal import PetrelCodecs
internal import PetrelCore
internal import PetrelPeer
internal import PetrelWire

extension VirtualEndpoint {
    func capture(now: Instant) {
        latest = (pictureIndex, now)
        pictureIndex += 1
        sent.picturesCaptured += 1
        nextCapture += .seconds(1 / configuration.video.framesPerSecond)
        other?.judge?.captured(pictureIndex - 1, at: clock.global(now))
        encodeLatest(now: now)
    }

    /// Picture number `index` as the camera gives it, with its stamp; nil where nothing is to be seen.
    func picture(_ index: Int) -> I420Buffer? {
        let buffer: I420Buffer
        if let film {
            buffer = stamped.take(width: film.width, height: film.height)
            buffer.update(from: film.picture(index))
        } else {
            guard let drawn = card?.frame(index) else { return nil }
            buffer = drawn
        }
        PictureStamp.write(counter: index % PictureStamp.modulus, into: buffer)
        return buffer
    }

    /// The picture that waited for the connection is sent at once, instead of waiting for the next one.
    func startAfterConnecting(now: Instant) { encodeLatest(now: now) }

    private func encodeLatest(now: Instant) {
        guard let videoTrack, let picture = latest, peer.canSend(videoTrack), encoderFreeAt <= now else { return }
        latest = nil
        let payload = frames.take(capacity: 64 * 1024)
        let isKeyFrame: Bool
        var dependency: FrameDependency?
        switch configuration.video {
        case .none:
            return
        case .synthetic(_, let bytes, let keyBytes):
            isKeyFrame = wantsKeyFrame
            let length = max(10, isKeyFrame ? keyBytes : bytes)
            payload.removeAll()
            payload.append(room: length) { room in
                // The head of a VP8 frame (RFC 6386 section 9.1): its lowest bit says "not a key frame".
                for index in room.indices { room[index] = UInt8(truncatingIfNeeded: index &* 31 &+ picture.index) }
                room[0] = isKeyFrame ? 0x10 : 0x11
                return length
            }
        case .testCard, .film:
            guard let encoder, let buffer = metered(.testMedia, { self.picture(picture.index) }) else { return }
            let rate = configuration.video.framesPerSecond
            let ticks = MediaTime(delta: picture.captured - .zero, clockRate: 90_000).ticks
            do {
                // What it leans on matters only where the other side says what it has.
                let plan =
                    peer.usesFrameReferences(videoTrack)
                    ? keeper.plan(now: now, roundTrip: roundTrip, patience: patience) : nil
                try encoder.setRate(videoRate, framesPerSecond: rate)
                guard
                    let result = try metered(
                        .videoEncoder,
                        {
                            try encoder.encode(
                                buffer, timestamp90k: ticks, forceKeyFrame: plan?.isKeyFrame ?? wantsKeyFrame,
                                references: plan?.references, into: payload)
                        })
                else { return }
                isKeyFrame = result.isKeyFrame
                if let plan {
                    frameNumber += 1
                    keeper.encoded(frameNumber, plan: plan, isKeyFrame: isKeyFrame, now: now)
                    dependency = plan.dependency(number: frameNumber, isKeyFrame: isKeyFrame)
                }
            } catch { return }
        }
        wantsKeyFrame = false
        encoderFreeAt = now + configuration.encodeTime
        encoded.append((encoderFreeAt, payload, isKeyFrame, picture.index, picture.captured, dependency))
    }

    func sendEncoded(now: Instant) {
        while let frame = encoded.first, frame.due <= now {
            encoded.removeFirst()
            guard let videoTrack else { continue }
            let taken = peer.sendVideo(
                frame.payload.bytes, isKeyFrame: frame.isKeyFrame, track: videoTrack, captured: frame.captured,
                now: now, dependency: frame.dependency, into: &batch)
            if taken {
                sent.picturesSent += 1
                sent.videoBytesSent += frame.payload.count
                sent.sentPictures.append(
                    VirtualCallResult.SentPicture(
                        index: frame.index, captured: clock.global(frame.captured), bytes: frame.payload.count,
                        isKeyFrame: frame.isKeyFrame, rate: videoRate))
                if frame.isKeyFrame { sent.keyFramesSent += 1 }
            } else if let dependency = frame.dependency {
                keeper.lost(dependency.number)
            } else {
                wantsKeyFrame = true
            }
        }
    }

    /// 20 ms of sound, whose first sample was captured 20 ms ago.
    func captureSound(now: Instant) {
        guard let audioTrack, let microphone else { return }
        let start = ticks
        ticks += 960
        nextBlock += .milliseconds(20)
        guard peer.canSend(audioTrack) else { return }
        metered(.testMedia) {
            if let speech = configuration.speech {
                speech.fill(block, from: start)
            } else {
                voice.fill(block, channels: 1, from: start)
            }
        }
        let payload = packets.take()
        let result = try? metered(
            .audioEncoder, { try microphone.encode(UnsafeBufferPointer(block), into: payload) })
        guard let result, !result.isDTX else { return }
        sent.audioBytesSent += payload.count
        peer.sendAudio(
            payload.bytes, ticks: start, track: audioTrack, captured: now - .milliseconds(20), now: now, into: &batch)
    }
}
