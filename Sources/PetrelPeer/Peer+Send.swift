internal import PetrelCongestion
public import PetrelCore
internal import PetrelICE
internal import PetrelMedia
internal import PetrelSecurity
public import PetrelWire

extension Peer {
    /// A video frame is not taken on while earlier ones wait this long in the pacer: it would be stale before it left.
    static let longestPacerQueue = TimeDelta.milliseconds(300)

    /// Whether media of `track` can be sent now: negotiated, secured, and with consent.
    public func canSend(_ track: LocalTrackID) -> Bool {
        guard srtp != nil, path != nil, senders.indices.contains(track.number) else { return false }
        return senders[track.number].isActive
    }

    /// Whether the other side asks for Opus with forward error correction in `track` (`useinbandfec`, RFC 7587 section
    /// 6.1), as it was negotiated last. Without it an encoder must not make any.
    public func wantsOpusFEC(_ track: LocalTrackID) -> Bool {
        senders.indices.contains(track.number) && senders[track.number].wantsOpusFEC
    }

    /// Whether the other side wants to know what each frame of `track` leans on, and says which frames it has decoded
    /// (``PeerEvent/framesAcknowledged(_:_:)``).
    public func usesFrameReferences(_ track: LocalTrackID) -> Bool {
        guard senders.indices.contains(track.number), senders[track.number].isActive else { return false }
        return senders[track.number].stream.parameters.extensions.frameReferences != 0
    }

    /// Sends one encoded VP8 frame.
    /// - Parameters:
    ///   - captured: when it was captured, on the clock of `now`.
    ///   - dependency: its number and what it leans on, where ``usesFrameReferences(_:)``.
    /// - Returns: false where the frame was not taken (no way to send, or too much waits already). Frames lean on each
    ///   other, so the next one must then be a key frame, or lean on nothing that was not taken.
    @discardableResult
    public func sendVideo(
        _ frame: UnsafeRawBufferPointer, isKeyFrame: Bool, track: LocalTrackID, captured: Instant, now: Instant,
        dependency: FrameDependency? = nil, into out: inout EgressBatch
    ) -> Bool {
        guard canSend(track) else { return false }
        let stream = senders[track.number].stream
        guard pacer.oldestWait(.video, now: now) < Self.longestPacerQueue,
            let sequences = stream.packetize(
                vp8: frame, captured: captured, captureTime: configuration.wallClock.ntp(at: captured),
                dependency: usesFrameReferences(track) ? dependency : nil)
        else {
            stream.countDroppedFrame()
            drops.count(.sendQueueFull)
            return false
        }
        if isKeyFrame { stream.countKeyFrame() }
        for sequence in sequences {
            guard let length = stream.length(of: sequence) else { continue }
            enqueue(sequence, length: length, sender: track.number, as: .video, now: now)
        }
        if stream.usesRepairCode {
            protect(sequences, isKeyFrame: isKeyFrame, sender: track.number, now: now)
        } else if isKeyFrame, !opening.isDone {
            opening.plan(
                stream: Int32(truncatingIfNeeded: track.number), sequences: sequences,
                loss: openingLoss, roundTrip: roundTripTime, now: now)
        }
        pump(now: now, into: &out)
        return true
    }

    /// Sends one encoded Opus packet.
    /// - Parameters:
    ///   - ticks: the media time of its first sample, in samples at 48 kHz, counted on through silence.
    ///   - captured: when its first sample was captured, on the clock of `now`.
    @discardableResult
    public func sendAudio(
        _ payload: UnsafeRawBufferPointer, ticks: Int64, isFirstAfterSilence: Bool = false, level: AudioLevel? = nil,
        track: LocalTrackID, captured: Instant, now: Instant, into out: inout EgressBatch
    ) -> Bool {
        guard canSend(track) else { return false }
        let stream = senders[track.number].stream
        guard
            let sequence = stream.packetize(
                opus: payload, ticks: ticks, isFirstAfterSilence: isFirstAfterSilence, level: level,
                captured: captured, captureTime: configuration.wallClock.ntp(at: captured),
                redundancy: planAudio(stream, packetBytes: payload.count)),
            let length = stream.length(of: sequence)
        else { return false }
        enqueue(sequence, length: length, sender: track.number, as: .audio, now: now)
        audioCopies.plan(
            stream: Int32(truncatingIfNeeded: track.number), sequence: sequence, copies: audioPlan.copies, now: now)
        pump(now: now, into: &out)
        return true
    }

    /// The loss of the path by what the set-up went through.
    var openingLoss: Double {
        let flights = dtlsRole == .client ? 2 : 1
        var repeats = 0
        if let began = handshakeBegan, let secured = milestones.secured,
            let roundTrip = agent.statistics.currentRoundTripTime
        {
            // What computing takes is not loss.
            let excess = secured - began - roundTrip * flights - .milliseconds(10)
            repeats = max(0, Int(excess.milliseconds / Self.handshakeInterval.milliseconds + 0.5))
        }
        return OpeningRepair.loss(
            checksSent: agent.statistics.requestsSent, checksAnswered: agent.statistics.responsesReceived,
            flights: flights, repeats: repeats)
    }

    func enqueue(_ sequence: Int64, length: Int, sender: Int, as packetClass: PacketClass, now: Instant) {
        let item = Pacer.Item(
            stream: Int32(truncatingIfNeeded: sender), sequence: sequence, bytes: Int32(truncatingIfNeeded: length),
            enqueued: now)
        if !pacer.enqueue(item, as: packetClass) { drops.count(.sendQueueFull) }
    }

    /// Lets go what the pacer allows to leave at `now`.
    func pump(now: Instant, into out: inout EgressBatch) {
        guard let srtp, let path else { return }
        while let due = opening.takeDue(now: now) {
            for sequence in due.sequences {
                guard let length = senders[Int(due.stream)].stream.length(of: sequence) else { continue }
                enqueue(sequence, length: length, sender: Int(due.stream), as: .retransmission, now: now)
            }
        }
        while let due = audioCopies.takeDue(now: now) {
            guard let length = senders[Int(due.stream)].stream.length(of: due.sequence) else { continue }
            enqueue(due.sequence, length: length, sender: Int(due.stream), as: .retransmission, now: now)
        }
        while !out.isFull, let (item, packetClass) = pacer.next(now: now) {
            let index = Int(item.stream)
            let stream = senders[index].stream
            var released = false
            let taken = out.append(to: path.remote, from: path.local) { slot in
                // Each call has its own closure: one that is named first would be put on the heap.
                let length =
                    item.isRepair
                    ? stream.releaseRepair(through: item.sequence, into: slot, now: now) {
                        sentPackets.append(bytes: $0, as: packetClass, now: now)
                    }
                    : packetClass == .retransmission
                        ? stream.releaseAgain(item.sequence, into: slot, now: now) {
                            sentPackets.append(bytes: $0, as: packetClass, now: now)
                        }
                        : stream.release(item.sequence, into: slot, now: now) {
                            sentPackets.append(bytes: $0, as: packetClass, now: now)
                        }
                guard let length else { return nil }
                released = true
                plaintextTap?(UnsafeRawBufferPointer(rebasing: slot[..<length]), path.local, path.remote)
                do throws(DropReason) { return try srtp.protectRTP(slot, length: length) } catch {
                    drops.count(error)
                    return nil
                }
            }
            if taken {
                let length = out.entry(out.count - 1).length
                network.noteSent(bytes: length)
                estimator.noteSent(bytes: length, at: now)
                network.mediaPacketsSent &+= 1
                if !senders[index].sentAny {
                    senders[index].sentAny = true
                    reports.start(now: now)
                }
            } else if released {
                drops.count(.sendFailed)
            }
        }
    }

    /// Repair may take this share of the rate from the encoders: beyond it the picture would vanish for its own sake.
    static let largestRepairShare = 0.5
    /// The same where the repair code is in use, whose cost is what the measured loss justifies: four fifths of an
    /// expansion of five.
    static let largestCodeShare = 1 - 1 / RepairController.largestExpansion

    /// Measures what retransmissions take, smoothed over about a second.
    func noteRepairRate(now: Instant) {
        let bytes = senders.reduce(UInt64(0)) {
            $0 &+ $1.stream.statistics.retransmittedBytes &+ $1.stream.statistics.repairBytes
        }
        guard let last = repairMeasured else {
            repairMeasured = (now, bytes)
            return
        }
        let passed = now - last.at
        guard passed >= .milliseconds(100) else { return }
        repairMeasured = (now, bytes)
        let rate = DataRate(bytes: Int(clamping: bytes &- last.bytes), over: passed)
        // Not by adding a part of the difference: a difference of rates is never below zero, so it would only rise.
        let weight = min(1, passed.seconds)
        repairRate = repairRate * (1 - weight) + rate * weight
    }

    /// Changes the bounds of what the path is thought to carry.
    public func setBandwidth(minimum: DataRate, maximum: DataRate) {
        leastRate = minimum
        estimator.setLimits(minimum: minimum, maximum: maximum)
        applyRate()
    }

    /// Tells the encoders what they may produce when that has changed by more than a trifle.
    func applyRate() {
        pacer.targetRate = estimator.target
        guard senders.contains(where: { $0.isActive && $0.stream.kind == .video }) else { return }
        // Headers, feedback and repair take their share of the path: about six percent at full-sized packets.
        let usesCode = senders.contains { $0.isActive && $0.stream.usesRepairCode }
        let repair = min(repairRate, estimator.target * (usesCode ? Self.largestCodeShare : Self.largestRepairShare))
        let available = max(estimator.target * 0.94 - audioRate - repair, leastRate * 0.5)
        let change = abs(available.kilobitsPerSecond - lastVideoRate.kilobitsPerSecond)
        guard change > 0.03 * lastVideoRate.kilobitsPerSecond else { return }
        lastVideoRate = available
        events.append(.videoRateChanged(available))
    }
}
