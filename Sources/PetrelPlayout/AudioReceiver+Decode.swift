internal import PetrelCore

extension AudioReceiver {
    /// The length over which sound fades in after silence, and new sound blends into old: 5 ms.
    private static let seamLength = 240
    /// Concealment starts to fade after 60 ms and is silent after 220 ms: what Opus invents has no sense beyond.
    private static let fadeStart = 2880
    private static let fadeEnd = 10_560
    /// A pause of the sender is believed for this long without a packet: Opus sends one every 400 ms; 1 s.
    private static let longestPause = 48_000

    /// Decodes the first packet of the queue to the end of the waiting samples.
    func decodeFirst(now: Int64) {
        guard let packet = queue.removeFirst() else { return }
        let channels = configuration.channels
        let joins = joinPending
        joinPending = false
        if joins { decoder.concealLoss(samples: Self.seamLength, into: seam) }
        let tail = samples.tail(room: AudioTicks.longestPacket)
        let decoded = decoder.decodePacket(packet.payload.bytes, into: tail)
        if let lastSequence, packet.sequence > lastSequence {
            let missing = packet.sequence &- lastSequence &- 1
            if missing > 0, missing < 1000 { delay.lost(Int(missing)) }
        }
        delay.played()
        recentlyPlayed.insert(timestamp: packet.timestamp, sequence: packet.sequence)
        lastSequence = packet.sequence
        nextTimestamp = packet.end
        // What was recovered comes when its time has nearly come: it has its place in the delay already.
        if !packet.isRecovered { waits.add(now - packet.arrival, at: now) }
        guard let decoded, decoded > 0, decoded <= AudioTicks.longestPacket else {
            statistics.decoderErrors += 1
            statistics.packetsDiscarded += 1
            appendConcealment(min(packet.samples, AudioTicks.longestPacket), timestamp: packet.timestamp)
            return
        }
        nextTimestamp = packet.timestamp + Int64(decoded)
        packetLength = decoded
        // libopus: a packet of one or two bytes says that the silence goes on.
        isPaused = packet.payload.count <= 2
        if joins, gain > 0, let old = seam.baseAddress, let new = tail.baseAddress {
            scale(seam, count: Self.seamLength, from: gain, to: gain)
            stretch.blend(
                old, fadingTo: new, into: new, channels: channels, count: min(Self.seamLength, decoded),
                correlation: 0.5)
        } else if gain < 1 {
            scale(tail, count: min(Self.seamLength, decoded), from: gain, to: 1)
        }
        gain = 1
        endConcealment()
        if isPaused { statistics.pauseSamples += UInt64(decoded) }
        if packet.isRecovered { statistics.recoveredSamples += UInt64(decoded) }
        let playout = pulls.ticks + Int64(samples.count)
        statistics.jitterBufferDelay += Double(max(0, playout - packet.arrival)) / 48_000 * Double(decoded)
        countEmitted(decoded)
        if packet.hasFEC, usedFEC != packet.timestamp { statistics.fecPacketsDiscarded += 1 }
        samples.append(
            .init(
                count: decoded, kind: isPaused ? .silence : packet.isRecovered ? .recovered : .normal,
                timestamp: packet.timestamp, capture: packet.capture))
    }

    /// Decodes what was lost before `packet` from the packet's FEC.
    func appendRecovered(_ count: Int, before packet: AudioPacketQueue.Packet, timestamp: Int64) {
        let tail = samples.tail(room: count)
        guard decoder.decodeLost(before: packet.payload.bytes, samples: count, into: tail) else {
            finishConcealment(tail, count: count, timestamp: timestamp)
            return
        }
        if gain < 1 { scale(tail, count: min(Self.seamLength, count), from: gain, to: 1) }
        gain = 1
        endConcealment()
        statistics.recoveredSamples += UInt64(count)
        usedFEC = packet.timestamp
        countEmitted(count)
        samples.append(
            .init(
                count: count, kind: .recovered, timestamp: timestamp,
                capture: packet.capture == .min
                    ? .min : packet.capture - PlayoutSamples.nanoseconds(Int(packet.timestamp - timestamp))))
    }

    /// Invents samples. Beyond the fade they are zeros and cost nothing.
    func appendConcealment(_ count: Int, timestamp: Int64?) {
        let tail = samples.tail(room: count)
        if gain > 0 { decoder.concealLoss(samples: count, into: tail) }
        finishConcealment(tail, count: count, timestamp: timestamp)
    }

    /// Comfort noise while the sender pauses; zeros when the pause lasts longer than a pause does.
    func appendPause(_ count: Int) {
        pausedRun += count
        let tail = samples.tail(room: count)
        if gain > 0 { decoder.concealLoss(samples: count, into: tail) }
        let wanted: Float = pausedRun > Self.longestPause ? 0 : gain
        scale(tail, count: count, from: gain, to: wanted)
        gain = wanted
        endConcealment(keepingPause: true)
        statistics.pauseSamples += UInt64(count)
        samples.append(.init(count: count, kind: .silence, timestamp: .min, capture: .min))
    }

    func appendSilence(_ count: Int, kind: AudioPull.Kind) {
        let tail = samples.tail(room: count)
        tail.update(repeating: 0)
        statistics.concealedSamples += UInt64(count)
        statistics.silentConcealedSamples += UInt64(count)
        gain = 0
        samples.append(.init(count: count, kind: kind, timestamp: .min, capture: .min))
    }

    private func finishConcealment(_ tail: UnsafeMutableBufferPointer<Int16>, count: Int, timestamp: Int64?) {
        if concealedRun == 0 { statistics.concealmentEvents += 1 }
        let limit = AudioTicks.of(Self.interruptionLength)
        let before = Int64(concealedRun)
        concealedRun += count
        if before < limit, Int64(concealedRun) >= limit {
            statistics.interruptions += 1
            statistics.interruptionSamples += UInt64(concealedRun)
        } else if before >= limit {
            statistics.interruptionSamples += UInt64(count)
        }
        statistics.concealedSamples += UInt64(count)
        let faded = Float(concealedRun - Self.fadeStart) / Float(Self.fadeEnd - Self.fadeStart)
        let wanted = min(gain, max(0, 1 - max(0, faded)))
        if gain == 0 {
            tail.update(repeating: 0)
            statistics.silentConcealedSamples += UInt64(count)
        } else {
            scale(tail, count: count, from: gain, to: wanted)
        }
        gain = wanted
        samples.append(.init(count: count, kind: .concealed, timestamp: timestamp ?? .min, capture: .min))
    }

    private func endConcealment(keepingPause: Bool = false) {
        concealedRun = 0
        if !keepingPause { pausedRun = 0 }
    }

    private func countEmitted(_ count: Int) {
        statistics.jitterBufferEmittedCount += UInt64(count)
        statistics.jitterBufferTargetDelay += Double(target) / 48_000 * Double(count)
        statistics.jitterBufferMinimumDelay += Double(jitterTicks) / 48_000 * Double(count)
    }

    /// Multiplies the first `count` samples of every channel by a gain that runs from one value to another.
    private func scale(_ buffer: UnsafeMutableBufferPointer<Int16>, count: Int, from: Float, to: Float) {
        let channels = configuration.channels
        guard count > 0, count * channels <= buffer.count, from < 1 || to < 1 else { return }
        let step = (to - from) / Float(count)
        for index in 0..<count {
            let gain = from + step * Float(index)
            for channel in 0..<channels {
                let at = index * channels + channel
                buffer[at] = Int16(max(-32768, min(32767, Float(buffer[at]) * gain)))
            }
        }
    }
}
