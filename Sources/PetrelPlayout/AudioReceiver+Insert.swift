public import PetrelCore

extension AudioReceiver {
    /// Takes a packet in.
    ///
    /// - Parameters:
    ///   - timestamp: its RTP timestamp, extended; 48 kHz ticks (RFC 7587 section 4.1).
    ///   - sequence: its extended RTP sequence number. It tells loss from a pause of the sender; packets recovered
    ///     from RED or FEC have their original's.
    ///   - payload: the Opus packet; kept by reference until played.
    ///   - arrival: when it came, or was recovered.
    ///   - captureTime: when its first sample was captured, on the local clock (``CaptureClockMapping``).
    ///   - origin: how it got here. What came in place of a lost packet counts as recovered.
    ///   - scheme: what else its RTP packet brought along; of several out of one packet, the newest goes in first.
    /// - Returns: `accept`, or why the packet was dropped: `payloadMalformed`, `badValue`, `rtpDuplicate`,
    ///   `rtpTooOld`, `rtpSequenceJump` (first packet of what may be a new timeline) or `bufferFull`.
    @discardableResult
    public func insert(
        timestamp: Int64, sequence: Int64, payload: FrameBuffer, arrival: Instant, captureTime: Instant? = nil,
        origin: AudioOrigin = .media, scheme: AudioRedundancyScheme = .none
    ) -> Verdict {
        let bytes = payload.bytes
        guard bytes.count > 0, bytes.count <= Self.maximumPayload, let length = decoder.duration(of: bytes),
            length > 0, length <= AudioTicks.longestPacket
        else { return discard(.payloadMalformed) }
        // Far beyond what 32 bits and their wraps can reach in a call, and far from overflow below.
        guard timestamp.magnitude < 1 << 56, sequence.magnitude < 1 << 56 else { return discard(.badValue) }
        let arrivalTicks = AudioTicks.of(arrival)
        let offset = arrivalTicks - timestamp

        // What was before the first packet is not waited for.
        if origin == .redundancy, nextTimestamp == nil, timestamp < queue.first?.timestamp ?? .max {
            return discard(.rtpTooOld)
        }
        if let base = delay.base, nextTimestamp != nil || queue.count > 0 {
            // Earlier by a second than the fastest packet, or older than what is playing: a stray or a new timeline.
            let early = offset - base < -48_000
            var late = false
            if let next = nextTimestamp { late = timestamp + Int64(length) / 2 < next }
            if late, recentlyPlayed.contains(timestamp: timestamp, sequence: sequence) {
                statistics.duplicatePackets += 1
                return discard(.rtpDuplicate)
            }
            if origin != .media {
                // Out of its time it speaks for itself only, not for the timeline. How late repair comes is learnt from it.
                if early { return discard(.rtpSequenceJump) }
                if late {
                    if offset - base < AudioDelayTarget.window {
                        noteRepair(sequence, offset: offset, at: arrivalTicks, length: length, scheme)
                    }
                    return discard(.rtpTooOld)
                }
            } else if early || late {
                guard suspicion.isConfirmed(by: offset, at: arrivalTicks, early: early) else {
                    // The lateness of a packet that missed its time is what the target must learn from.
                    if late, !early, offset - base < AudioDelayTarget.window {
                        delay.arrived(offset: offset, at: arrivalTicks, inOrder: false)
                    }
                    return discard(early ? .rtpSequenceJump : .rtpTooOld)
                }
                queue.removeAll()
                delay.reset(keepingJitter: true)
                restart()
            }
        }

        let hasFEC = decoder.carriesFEC(bytes)
        var capture = Int64.min
        // A capture time comes from the remote's clock: one that is 146 years away is none.
        if let captureTime, captureTime.nanoseconds.magnitude < 1 << 62 {
            capture = (captureTime - configuration.codecDelay).nanoseconds
        }
        let packet = AudioPacketQueue.Packet(
            timestamp: timestamp, sequence: sequence, arrival: arrivalTicks, capture: capture, samples: length,
            hasFEC: hasFEC, isRecovered: origin != .media, payload: payload)
        var insertion = queue.insert(packet)
        if insertion == .full {
            // The oldest goes: what comes now is nearer to what is being said.
            discardFirst()
            joinPending = true
            insertion = queue.insert(packet)
        }
        switch insertion {
        case .duplicate:
            statistics.duplicatePackets += 1
            return discard(.rtpDuplicate)
        case .full:
            return discard(.bufferFull)
        case .inserted:
            break
        }
        suspicion.clear()
        statistics.packetsReceived += 1
        if hasFEC { statistics.fecPacketsReceived += 1 }
        fecShare += ((hasFEC ? 1 : 0) - fecShare) / 32
        guard origin == .media else {
            noteRepair(sequence, offset: offset, at: arrivalTicks, length: length, scheme)
            return .accept
        }
        repair.arrived(sequence: sequence, length: length, scheme: scheme, at: arrivalTicks)
        let inOrder = timestamp >= highestTimestamp ?? .min
        highestTimestamp = max(highestTimestamp ?? timestamp, timestamp)
        delay.arrived(offset: offset, at: arrivalTicks, inOrder: inOrder)
        return .accept
    }

    private func noteRepair(
        _ sequence: Int64, offset: Int64, at arrival: Int64, length: Int, _ scheme: AudioRedundancyScheme
    ) {
        let lateness = max(0, offset - (delay.base ?? offset))
        let distance = scheme.distance > 0 ? Int64(scheme.distance) : lateness
        repair.recovered(sequence: sequence, distance: (distance + Int64(length) - 1) / Int64(length))
        // Redundancy comes at known distances; only what was asked for comes when it comes.
        if scheme.distance == 0 { delay.arrived(offset: offset, at: arrival, inOrder: false) }
    }

    private func discard(_ reason: DropReason) -> Verdict {
        statistics.packetsDiscarded += 1
        return .drop(reason)
    }

    /// Drops the packet that would play next.
    func discardFirst() {
        guard let packet = queue.removeFirst() else { return }
        statistics.packetsDiscarded += 1
        if packet.hasFEC { statistics.fecPacketsDiscarded += 1 }
    }
}
