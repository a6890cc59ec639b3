internal import PetrelCongestion
internal import PetrelCore
internal import PetrelICE
internal import PetrelMedia
internal import PetrelSecurity
internal import PetrelWire

/// When reports are due (RFC 3550 section 6.2, RFC 4585 section 3.5).
struct ReportSchedule {
    /// Between two regular reports. The first ones come sooner, since synchronisation and the round trip wait for them.
    static let interval = TimeDelta.seconds(1)
    static let early: [TimeDelta] = [.milliseconds(30), .milliseconds(150), .milliseconds(400)]

    private(set) var next = Instant.distantFuture
    private var sent = 0

    mutating func start(now: Instant) {
        guard next == .distantFuture else { return }
        next = now + Self.early[0]
    }

    mutating func stop() { next = .distantFuture }

    /// Notes that a report leaves at `now`; the regular interval is spread by a factor of 0.5...1.5 so that endpoints
    /// do not fall in step (RFC 3550 section 6.3.1).
    mutating func noteSent(now: Instant, spread: Double) {
        sent += 1
        next = now + (sent < Self.early.count ? Self.early[sent] : Self.interval * (0.5 + spread))
    }
}

extension Peer {
    /// The shortest time in which a repeated request makes another key frame (RFC 5104 section 4.3.1.2 leaves the
    /// limit to us): what a decoder cannot use twice.
    static let keyFrameSpacing = TimeDelta.milliseconds(300)

    /// One more round of repair is a few packets; a frame that leaves out the lost one is all new. So a frame is given up
    /// a round trip and this much after its deadline.
    static let lastRoundTime = TimeDelta.milliseconds(35)

    // MARK: Receiving

    func receiveRTCP(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, local: TransportAddress, now: Instant,
        into out: inout EgressBatch
    ) throws(DropReason) {
        guard let srtp else { throw .srtpNoKeys }
        let length = try srtp.openRTCP(bytes, length: bytes.count)
        agent.mediaReceived(from: remote, to: local, now: now)
        // Bytes 4 to 7 name who speaks (RFC 3550 section 6.1), also for libsrtp2. What it keeps for a source that there is
        // no place for goes at once, and with it the memory of what came before: so the packet is not used either.
        let ssrc = UInt32(bigEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard controlSources.admit(ssrc, among: sources) else {
            srtp.forgetInbound(ssrc: ssrc)
            throw .rtpSourceLimit
        }
        plaintextTap?(UnsafeRawBufferPointer(rebasing: bytes[..<length]), remote, local)
        let packets = try RTCPCompound.parse(UnsafeRawBufferPointer(rebasing: bytes[..<length]).bytes)
        network.rtcpPacketsReceived &+= 1
        for packet in packets { apply(packet, now: now) }
        pump(now: now, into: &out)
    }

    private func apply(_ packet: RTCPPacket, now: Instant) {
        switch packet {
        case .senderReport(let report):
            if case .media(let index)? = sources[report.ssrc] {
                receivers[index].stream.receive(senderReport: report.ntpTime, timestamp: report.rtpTimestamp, now: now)
            }
            report.reports.forEach { apply($0, now: now) }
        case .receiverReport(let report):
            report.reports.forEach { apply($0, now: now) }
        case .nack(let request):
            guard let index = sender(request.mediaSSRC), senders[index].acceptsNack else {
                drops.count(.rtcpUnknownSource)
                return
            }
            senders[index].stream.countNack()
            // Otherwise the feedback does that, which comes as often.
            if !numbersPackets {
                noteRepairRate(now: now)
                applyRate()
            }
            let repeats = opening.repeats(
                packets: request.sequenceNumbers.count, of: Int32(truncatingIfNeeded: index), roundTrip: roundTripTime,
                now: now)
            for number in request.sequenceNumbers { sendAgain(number, times: 1 + repeats, sender: index, now: now) }
        case .pictureLoss(let request):
            guard let index = sender(request.mediaSSRC) else {
                drops.count(.rtcpUnknownSource)
                return
            }
            senders[index].stream.countPLI()
            requestKeyFrame(sender: index, now: now)
        case .fullIntraRequest(let request):
            for entry in request.entries {
                guard let index = sender(entry.ssrc) else {
                    drops.count(.rtcpUnknownSource)
                    continue
                }
                // RFC 5104 section 4.3.1.1: a repeated command has the same number.
                guard senders[index].lastFIR != entry.sequenceNumber else { continue }
                senders[index].lastFIR = entry.sequenceNumber
                senders[index].stream.countFIR()
                requestKeyFrame(sender: index, now: now)
            }
        case .transportFeedback(let feedback):
            apply(feedback, now: now)
        case .bye(let bye):
            // Only sources of this very transport can end (RFC 3550 section 6.6); media that follows opens them again.
            for ssrc in bye.sources {
                if case .media(let index)? = sources[ssrc] { end(receiver: index) }
            }
        case .receiverEstimate(let estimate):
            guard acceptsReceiverEstimate, estimate.sources.contains(where: { sender($0) != nil }) else {
                drops.count(.rtcpUnknownSource)
                return
            }
            estimator.receive(remoteEstimate: estimate.rate, isAlone: !numbersPackets)
            noteRepairRate(now: now)
            applyRate()
        case .application(let application):
            if let said = FrameAcknowledgement(application) { apply(said) } else { apply(application, now: now) }
        case .sourceDescription, .unknown:
            break
        }
    }

    private func apply(_ said: FrameAcknowledgement) {
        guard let index = sender(said.mediaSSRC) else { return drops.count(.rtcpUnknownSource) }
        acknowledge(sender: index, newest: said.newest, earlier: said.earlier, count: 64)
    }

    /// What the other side has decoded, however it says so.
    func acknowledge(sender index: Int, newest: UInt16, earlier: UInt64, count: Int) {
        // What was never sent is not believed.
        guard usesFrameReferences(senders[index].id),
            let number = senders[index].stream.frameNumber(pictureID: newest)
        else { return }
        let patience =
            senders[index].stream.usesRepairCode
            ? roundTripTime * 2 + repairControl.playoutDelay + Self.lastRoundTime
            : InteropRepairPlan.framePatience(linkState)
        events.append(
            .framesAcknowledged(
                senders[index].id,
                AcknowledgedFrames(
                    newest: number, earlier: earlier, count: count, roundTrip: roundTripTime, patience: patience)))
    }

    /// Whether packets of ours carry the numbers that transport-wide feedback speaks of.
    private var numbersPackets: Bool {
        senders.contains { $0.isActive && $0.stream.parameters.extensions.transportSequenceNumber != 0 }
    }

    func sender(_ ssrc: UInt32) -> Int? {
        for index in senders.indices where senders[index].stream.ssrc == ssrc && senders[index].isActive {
            return index
        }
        return nil
    }

    private func apply(_ block: RTCPReportBlock, now: Instant) {
        guard sender(block.ssrc) != nil else { return }
        network.remoteFractionLost = Double(block.fractionLost) / 256
        network.remotePacketsLost = block.cumulativeLost
        if let measured = block.roundTripTime(at: configuration.wallClock.ntp(at: now)), measured > .zero {
            roundTrip = roundTrip.map { $0 * 0.875 + measured * 0.125 } ?? measured
        }
    }

    private func requestKeyFrame(sender index: Int, now: Instant) {
        guard senders[index].stream.kind == .video else { return }
        if let last = senders[index].lastKeyFrameRequest, now - last < Self.keyFrameSpacing { return }
        senders[index].lastKeyFrameRequest = now
        events.append(.keyFrameRequested(senders[index].id))
    }

    private func sendAgain(_ number: UInt16, times: Int, sender index: Int, now: Instant) {
        let stream = senders[index].stream
        // What was sent again a moment ago may wait in the queue of a narrow link: asking for it once more is no reason to
        // make that queue longer.
        let wait = roundTripTime + estimator.queueDelay
        guard let sequence = stream.retransmittable(number, roundTrip: wait, now: now),
            let length = stream.length(of: sequence)
        else { return }
        for _ in 0..<times {
            enqueue(sequence, length: length, sender: index, as: .retransmission, now: now)
        }
    }

    private func apply(_ feedback: TransportFeedback, now: Instant) {
        let base = feedbackClock.base(of: feedback)
        results.removeAll(keepingCapacity: true)
        feedback.forEachPacket { packet in
            // Feedback for what was never sent, or is reported twice, says nothing.
            guard let entry = sentPackets.entry(packet.sequenceNumber), !entry.acknowledged else { return }
            if packet.arrival != nil { sentPackets.acknowledge(entry) }
            if tellsLoss(entry) { losses.add(lost: packet.arrival == nil, sent: entry.sent) }
            results.append(
                PacketResult(
                    sent: entry.sent, arrived: packet.arrival.map { base + $0 }, bytes: Int(entry.bytes)))
        }
        estimator.update(results, roundTrip: roundTripTime, now: now)
        noteRepairRate(now: now)
        applyRate()
    }

    // MARK: Sending

    /// Sends what the streams have to say about what they received: missing packets, lost pictures, arrivals.
    func sendFeedback(now: Instant, into out: inout EgressBatch) {
        guard srtp != nil else { return }
        let own = reportingSSRC
        var writer = RTCPWriter()
        for receiver in receivers where !receiver.hasEnded {
            if let report = receiver.stream.repairReport(roundTrip: roundTripTime, now: now) {
                append(.application(report.application(from: own)), to: &writer, now: now, into: &out)
            }
            missing.removeAll(keepingCapacity: true)
            receiver.stream.collectMissing(now: now, roundTrip: roundTripTime, into: &missing)
            if !missing.isEmpty {
                append(
                    .nack(RTCPNack(senderSSRC: own, mediaSSRC: receiver.stream.ssrc, sequenceNumbers: missing)),
                    to: &writer, now: now, into: &out)
            }
            if let said = receiver.stream.takeAcknowledgement(now: now) {
                append(.application(said.application(senderSSRC: own)), to: &writer, now: now, into: &out)
            }
            if receiver.stream.wantsKeyFrame(now: now, roundTrip: roundTripTime) {
                append(
                    .pictureLoss(RTCPPictureLoss(senderSSRC: own, mediaSSRC: receiver.stream.ssrc)), to: &writer,
                    now: now, into: &out)
            }
        }
        if let rate = receiverEstimator?.report(now: now) {
            let seen = receivers.filter { !$0.hasEnded }.map(\.stream.ssrc)
            append(
                .receiverEstimate(RTCPReceiverEstimate(senderSSRC: own, rate: rate, sources: seen)), to: &writer,
                now: now, into: &out)
        }
        if usesTransportFeedback {
            // After a good-bye there may be arrivals to report and no source left to name: zero means none.
            let media = receivers.last(where: { !$0.hasEnded })?.stream.ssrc ?? 0
            while let feedback = arrivals.report(senderSSRC: own, mediaSSRC: media, now: now) {
                append(.transportFeedback(feedback), to: &writer, now: now, into: &out)
            }
        }
        flush(&writer, now: now, into: &out)
    }

    /// Sends a sender or receiver report with a source description, as a compound packet (RFC 3550 section 6.1).
    func sendReports(now: Instant, into out: inout EgressBatch) {
        guard srtp != nil else { return }
        reports.noteSent(now: now, spread: random.unit())
        var writer = RTCPWriter()
        appendReports(to: &writer, now: now)
        flush(&writer, now: now, into: &out)
    }

    private func appendReports(to writer: inout RTCPWriter, now: Instant) {
        let own = reportingSSRC
        let ntp = configuration.wallClock.ntp(at: now)
        var blocks = receivers.filter { !$0.hasEnded }.map { reportBlock($0.stream, now: now) }
        if blocks.count > 31 { blocks.removeLast(blocks.count - 31) }
        var written = false
        for sender in senders where sender.isActive && sender.sentAny {
            guard let timestamp = sender.stream.timestamp(at: now) else { continue }
            let counts = sender.stream.statistics
            _ = writer.append(
                .senderReport(
                    RTCPSenderReport(
                        ssrc: sender.stream.ssrc, ntpTime: ntp, rtpTimestamp: timestamp,
                        packetCount: UInt32(truncatingIfNeeded: counts.packetsSent),
                        octetCount: UInt32(truncatingIfNeeded: counts.bytesSent), reports: written ? [] : blocks)))
            written = true
        }
        if !written { _ = writer.append(.receiverReport(RTCPReceiverReport(ssrc: own, reports: blocks))) }
        var chunks = senders.filter { $0.isActive && $0.sentAny }.map {
            RTCPSourceDescription.Chunk(ssrc: $0.stream.ssrc, cname: cname)
        }
        if chunks.isEmpty { chunks = [RTCPSourceDescription.Chunk(ssrc: own, cname: cname)] }
        _ = writer.append(.sourceDescription(RTCPSourceDescription(chunks: chunks)))
    }

    private func reportBlock(_ stream: ReceiveStream, now: Instant) -> RTCPReportBlock {
        let reception = stream.reception
        let range = RTCPReportBlock.cumulativeLostRange
        let sinceReport = stream.lastSenderReport.map { now - $0.arrival } ?? .zero
        return RTCPReportBlock(
            ssrc: stream.ssrc, fractionLost: stream.takeFractionLost(),
            cumulativeLost: Int32(
                min(max(reception.packetsLost, Int64(range.lowerBound)), Int64(range.upperBound))),
            extendedHighestSequenceNumber: UInt32(truncatingIfNeeded: reception.highestSequence ?? 0),
            jitter: reception.jitterTicks, lastSenderReport: stream.lastSenderReport?.compact ?? 0,
            delaySinceLastSenderReport: UInt32(clamping: NTPTime.fixedPoint(sinceReport) >> 16))
    }

    /// The source our reports and feedback speak for: our first stream, or without one a source of no stream (RFC 3550
    /// section 6.2: a receiver reports under its own).
    var reportingSSRC: UInt32 { (senders.first { $0.isActive } ?? senders.first)?.stream.ssrc ?? receiverSSRC }

    private func append(
        _ packet: RTCPPacket, to writer: inout RTCPWriter, now: Instant, into out: inout EgressBatch
    ) {
        startCompound(&writer, now: now)
        guard !writer.append(packet) else { return }
        flush(&writer, now: now, into: &out)
        startCompound(&writer, now: now)
        _ = writer.append(packet)
    }

    /// Without RFC 5506 every packet begins with a report and has a source description (RFC 3550 section 6.1).
    private func startCompound(_ writer: inout RTCPWriter, now: Instant) {
        guard writer.isEmpty, !usesReducedSizeRTCP else { return }
        appendReports(to: &writer, now: now)
    }

    func flush(_ writer: inout RTCPWriter, now: Instant, into out: inout EgressBatch) {
        guard !writer.isEmpty, let srtp, let path else { return }
        let taken = out.append(to: path.remote, from: path.local) { slot in
            guard let length = writer.copy(into: slot) else { return nil }
            plaintextTap?(UnsafeRawBufferPointer(rebasing: slot[..<length]), path.local, path.remote)
            do throws(DropReason) { return try srtp.protectRTCP(slot, length: length) } catch {
                drops.count(error)
                return nil
            }
        }
        if taken {
            let length = out.entry(out.count - 1).length
            network.noteSent(bytes: length)
            pacer.account(bytes: length, now: now)
        } else {
            drops.count(.egressFull)
        }
        writer.removeAll()
    }

    /// Says good-bye for all our streams (RFC 3550 section 6.6).
    func sendBye(now: Instant, into out: inout EgressBatch) {
        let spoken = senders.filter { $0.isActive && $0.sentAny }.map(\.stream.ssrc)
        // RFC 3550 section 6.3.7: who never sent anything does not say good-bye.
        guard !spoken.isEmpty, srtp != nil else { return }
        var writer = RTCPWriter()
        appendReports(to: &writer, now: now)
        _ = writer.append(.bye(RTCPBye(sources: spoken)))
        flush(&writer, now: now, into: &out)
    }
}
