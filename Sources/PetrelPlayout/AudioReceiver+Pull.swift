public import PetrelCore

extension AudioReceiver {
    /// Answers the next 10 ms of sound.
    ///
    /// Call it every 10 ms; irregular calls are evened out.
    /// - Parameters:
    ///   - now: the present.
    ///   - output: room for ``samplesPerPull`` samples of every channel, interleaved; all of it is written.
    /// - Precondition: `output` holds at least ``samplesPerPull`` times the number of channels.
    public func pull(at now: Instant, into output: UnsafeMutableBufferPointer<Int16>) -> AudioPull {
        let block = AudioTicks.block
        let channels = configuration.channels
        precondition(output.count >= block * channels, "an audio pull needs room for 10 ms")
        let nowTicks = AudioTicks.of(now)
        pulls.advance(to: nowTicks)

        // Every step adds samples, takes a packet or moves the position; the bound is for what we did not think of.
        var steps = 0
        while samples.count < block, steps < 4 * configuration.maximumPackets {
            steps += 1
            if !fill(now: nowTicks) { break }
        }
        if samples.count < block {
            guard nextTimestamp == nil, samples.count == 0, statistics.totalSamplesReceived == 0 else {
                // Started once, and nothing left to say.
                appendSilence(block - samples.count, kind: .concealed)
                return emit(output)
            }
            UnsafeMutableBufferPointer(rebasing: output[..<(block * channels)]).update(repeating: 0)
            return AudioPull(
                kind: .none, captureTime: nil, timestamp: nil, targetDelay: targetDelay, jitterDelay: jitterDelay,
                bufferDelay: .zero)
        }
        adjustSpeed(now: nowTicks)
        return emit(output)
    }

    /// How much later than it could have been here the next decoded sample will be played, in ticks.
    var bufferTicks: Int64? {
        guard let next = nextTimestamp, let base = delay.base else { return nil }
        return pulls.ticks + Int64(samples.count) - base - next
    }

    private func emit(_ output: UnsafeMutableBufferPointer<Int16>) -> AudioPull {
        let block = AudioTicks.block
        let channels = configuration.channels
        let buffered = bufferTicks ?? 0
        var kind = samples.first?.kind ?? .concealed
        var rest = block
        for segment in samples.segments where rest > 0 {
            if segment.kind.rawValue > kind.rawValue { kind = segment.kind }
            rest -= segment.count
        }
        var pull = AudioPull(
            kind: kind, captureTime: nil, timestamp: nil, targetDelay: targetDelay, jitterDelay: jitterDelay,
            bufferDelay: AudioTicks.delta(buffered))
        if let first = samples.first {
            if first.timestamp != .min { pull.timestamp = first.timestamp }
            if first.capture != .min { pull.captureTime = Instant(nanoseconds: first.capture) }
        }
        UnsafeMutableBufferPointer(rebasing: output[..<(block * channels)]).baseAddress?
            .update(from: samples.front, count: block * channels)
        samples.consume(block)
        statistics.totalSamplesReceived += UInt64(block)
        return pull
    }

    // MARK: Filling

    /// Concealment of up to 40 ms at once is used to let the buffer grow: it is hardly heard.
    private static let longestHold = 1920

    /// Adds samples or moves the position; false where nothing can be added: nothing has started.
    private func fill(now: Int64) -> Bool {
        guard let base = delay.base else { return false }
        guard let next = nextTimestamp else { return start(now: now, base: base) }
        guard let first = queue.first else {
            hold()
            return true
        }
        let length = Int64(first.samples)
        if first.timestamp + length / 2 < next {
            discardFirst()
            return true
        }
        if skipBacklog(next: next) { return true }
        if first.timestamp <= next {
            decodeFirst(now: now)
            return true
        }
        fillGap(before: first, next: next, base: base)
        return true
    }

    /// Waits with the first packet until it has the delay aimed for.
    private func start(now: Int64, base: Int64) -> Bool {
        guard let first = queue.first else {
            guard statistics.totalSamplesReceived > 0 else { return false }
            hold()
            return true
        }
        let due = base + first.timestamp + target
        guard pulls.ticks + Int64(samples.count) >= due - 24 else {
            guard statistics.totalSamplesReceived > 0 else { return false }
            hold()
            return true
        }
        nextTimestamp = first.timestamp
        if !skipBacklog(next: first.timestamp) { decodeFirst(now: now) }
        return true
    }

    /// Nothing follows: comfort noise while the sender pauses, else concealment. The position holds.
    private func hold() {
        if isPaused, nextTimestamp != nil {
            appendPause(AudioTicks.block)
        } else {
            appendConcealment(AudioTicks.block, timestamp: nil)
        }
    }

    /// Brings an overfull buffer down at once; true where it moved the position.
    private func skipBacklog(next: Int64) -> Bool {
        guard let last = queue.last else { return false }
        let length = Int64(packetLength)
        let span = last.end - next + Int64(samples.count)
        guard span > target + length + 14_400 else { return false }
        let position = last.end - target - length
        guard position > next else { return false }
        while let first = queue.first, first.timestamp < position, queue.count > 1 { discardFirst() }
        guard let first = queue.first else { return false }
        nextTimestamp = first.timestamp
        lastSequence = nil
        joinPending = true
        waits.reset()
        return true
    }

    private func fillGap(before packet: AudioPacketQueue.Packet, next: Int64, base: Int64) {
        let gap = packet.timestamp - next
        let follows = lastSequence.map { packet.sequence == $0 &+ 1 } ?? true
        let buffered = pulls.ticks + Int64(samples.count) - base - next
        if follows || concealedRun >= 9600 {
            // No packet is missing (the sender paused), or the thread is lost anyway: play it when it is due.
            let early = gap + target - buffered
            if early <= 240 {
                nextTimestamp = packet.timestamp
            } else if follows {
                appendPause(AudioTicks.block)
            } else {
                appendConcealment(AudioTicks.block, timestamp: nil)
            }
            return
        }
        // Concealment while the position held has covered a part of the gap already.
        let excess = min(gap, buffered - Int64(samples.count) - jitterTicks, buffered - minimumDelay)
        if excess >= 240 || gap < Int64(AudioTicks.concealmentStep) {
            nextTimestamp = next + (gap < Int64(AudioTicks.concealmentStep) ? gap : excess)
            return
        }
        // Repair that is on its way takes longer than the buffer is deep: the place is held while the sound goes on, so
        // that what comes is in time from here on.
        let deficit = jitterTicks - buffered
        if repair.ticks > 0, deficit >= Int64(AudioTicks.block), concealedRun < Self.longestHold {
            appendConcealment(AudioTicks.block, timestamp: nil)
            return
        }
        let contiguous = lastSequence.map { packet.sequence > $0 } ?? false
        let length = Int64(packet.samples)
        if packet.hasFEC, contiguous, gap <= length {
            appendRecovered(Int(gap), before: packet, timestamp: next)
            nextTimestamp = packet.timestamp
        } else {
            var part = min(gap, 960)
            if packet.hasFEC, gap > length { part = min(part, gap - length) }
            appendConcealment(Int(part), timestamp: next)
            nextTimestamp = next + part
        }
    }

    // MARK: Speed

    private func adjustSpeed(now: Int64) {
        guard let buffered = bufferTicks, concealedRun == 0 else { return }
        let block = Int64(AudioTicks.block)
        let leftover = Int64(samples.count) % block
        // How long before the pull that needs it the next packet could be here. It moves in blocks; the leftover of
        // decoded samples does not count, nobody waits for them.
        let slack = buffered - leftover
        let jitter = jitterTicks
        budget.pass(excess: buffered - target)

        let short = max(jitter - slack, minimumDelay - buffered)
        if slack < jitter - 24 || minimumDelay - buffered > 240 {
            let wanted = slack < jitter - 24 ? 720 : Int(min(720, 2 * short))
            let most = min(wanted, budget.mayInsert)
            guard most >= TimeStretch.lags.lowerBound, samples.isDecoded(first: AudioTicks.block) else { return }
            // Late by much: any seam is better than a hole.
            let inserted = stretch.decelerate(samples, most: most, threshold: threshold(strain: short))
            if inserted > 0 {
                budget.inserted(inserted)
                statistics.insertedSamplesForDeceleration += UInt64(inserted)
            } else {
                budget.failed()
            }
            return
        }

        // Removing the leftover is free; each block beyond it takes a block of slack, if the packets of the last
        // half second all waited that long.
        let spare = max(0, min((slack - jitter - 48) / block, (waits.value - 48) / block))
        var most = slack >= jitter ? leftover + spare * block : 0
        if minimumDelay > 0 { most = min(most, 2 * (buffered - minimumDelay)) }
        guard most >= Int64(TimeStretch.lags.lowerBound) else {
            budget.content()
            return
        }
        let allowed = min(Int(min(most, 720)), budget.mayRemove)
        guard allowed >= TimeStretch.lags.lowerBound else { return }
        decodeAhead(to: allowed + TimeStretch.window, now: now)
        guard samples.isDecoded(first: min(samples.count, allowed + TimeStretch.window)) else { return }
        let removed = stretch.accelerate(samples, most: allowed, threshold: threshold(strain: buffered - target))
        if removed > 0 {
            budget.removed(removed)
            statistics.removedSamplesForAcceleration += UInt64(removed)
            if Int64(removed) > leftover { waits.lower(by: block) }
        } else {
            budget.failed()
        }
    }

    /// The correlation a seam must have: high at leisure, lower the further the delay is off and the longer no seam
    /// was found.
    private func threshold(strain: Int64) -> Double {
        let urgency = Double(max(0, strain - 960)) / 9600 * 0.3
        let patience = Double(budget.wanted) * 0.004
        return max(0.3, 0.9 - min(0.4, urgency) - min(0.5, patience))
    }

    private func decodeAhead(to count: Int, now: Int64) {
        while samples.count < count, let first = queue.first, let next = nextTimestamp, first.timestamp <= next,
            first.timestamp + Int64(first.samples) / 2 >= next
        {
            let before = samples.count
            decodeFirst(now: now)
            if samples.count <= before { return }
        }
    }
}
