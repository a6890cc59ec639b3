internal import PetrelCongestion
public import PetrelCore
public import PetrelWire

/// One encoded audio packet as it arrived.
public struct EncodedAudioPacket: Sendable {
    /// The bytes of the packet.
    public var payload: FrameBuffer
    /// Extended RTP sequence number.
    public var sequence: Int64
    /// Extended RTP timestamp, 48 kHz.
    public var timestamp: Int64
    /// RTP marker: the first packet after silence.
    public var marker: Bool
    public var captureTime: NTPTime?
    public var arrival: Instant
    public var level: AudioLevel?
    /// How it got here.
    public var origin = AudioPacketOrigin.media
    /// How far back the earlier packets in its RTP packet went, in ticks, and how many there were (RFC 2198).
    public var redundancyReach: Int32 = 0
    public var redundancyDepth: UInt8 = 0
    /// How much later than its own its RTP packet was, in ticks; zero for its own.
    public var redundancyDistance: Int32 = 0
}

/// One RTP stream that is received: counting, asking for what is missing, and frames.
///
/// Packets come in authenticated. Nothing here allocates per packet once the buffers in use are warm.
public final class ReceiveStream {
    /// What is received, its source, and the ticks per second of its timestamps.
    public let kind: StreamKind
    public let ssrc: UInt32
    public let clockRate: Int32
    /// What the receiver reports say (RFC 3550 section 6.4.1), and what else is counted.
    public private(set) var reception: ReceiveStatistics
    public internal(set) var statistics = ReceiveCounters()
    /// Whether NACK was negotiated.
    public var asksForMissing = false
    /// How long sound waits for its playout: what is missing is asked for only if it can come in that time.
    public var playoutDelay = TimeDelta.zero
    /// Whether PLI was negotiated.
    public var asksForKeyFrames = false
    /// The sliding-window repair code, where it was negotiated: it takes the place of requests.
    public private(set) var repair: RepairDecoder?

    /// A jump of the sequence number beyond this needs a second packet to be believed (RFC 3550 appendix A.1).
    static let largestJump: Int64 = 3000
    static let largestMisorder: Int64 = 1000
    /// Packets asked for before the first one seen, where that is not the start of a key frame; the sender ignores
    /// requests for what never was. Less than a first key frame has, and a lossy start waits for a second one.
    static let unseenStart: Int64 = 64
    /// A hole that blocks the picture for so long (and a round trip) asks for a key frame.
    static let patience = TimeDelta.milliseconds(400)
    /// A hole that blocks the picture for so long is given up: what waits behind it is too old to be shown, and only a key
    /// frame goes on.
    static let longestBlock = TimeDelta.seconds(1)
    /// The shortest time between two requests for a key frame.
    static let keyFrameInterval = TimeDelta.milliseconds(200)

    private var sequences = SequenceUnwrapper()
    private var timestamps = TimestampUnwrapper()
    var nacks = NackTracker()
    var recentAudio = RecentTimestamps()
    private var assembler = VideoAssembler()
    var pool = FrameBufferPool(limit: 64)
    private var suspicious: UInt16?
    private var blockedSince: Instant?
    /// The same, whatever was asked for meanwhile.
    private var holeSince: Instant?
    private var keyFrameAsked: Instant?
    private var clock: (ntp: NTPTime, timestamp: Int64)?
    private var lastCapture: (ntp: NTPTime, timestamp: Int64)?
    var repairReports = RepairReportClock()
    var arrivalLoss = ArrivalLoss()
    /// The last sender report: the middle of its NTP time and when it arrived, for LSR and DLSR.
    public private(set) var lastSenderReport: (compact: UInt32, arrival: Instant)?

    public init(kind: StreamKind, ssrc: UInt32) {
        self.kind = kind
        self.ssrc = ssrc
        clockRate = kind == .audio ? 48_000 : 90_000
        reception = ReceiveStatistics(clockRate: clockRate)
    }

    /// Counts a packet and answers its place in the stream; nothing for a packet that is not believed.
    func admit(
        _ header: RTPHeader, isRepair: Bool, now: Instant
    ) -> (sequence: Int64, timestamp: Int64)? {
        if let highest = reception.highestSequence {
            let distance = sequences.peek(header.sequenceNumber) - highest
            if distance > Self.largestJump || distance < -Self.largestMisorder {
                guard !isRepair else { return nil }
                guard suspicious == header.sequenceNumber else {
                    suspicious = header.sequenceNumber &+ 1
                    return nil
                }
                restart()
            }
        }
        suspicious = nil
        let sequence = sequences.unwrap(header.sequenceNumber)
        reception.received(
            sequence: sequence, timestamp: header.timestamp, headerBytes: header.headerLength,
            payloadBytes: header.payloadLength, isRepair: isRepair, now: now)
        if isRepair, repair == nil { statistics.retransmittedPacketsReceived &+= 1 }
        return (sequence, timestamps.unwrap(header.timestamp))
    }

    /// The sender has begun anew: sequence and time mean nothing any more.
    private func restart() {
        statistics.restarts &+= 1
        sequences = SequenceUnwrapper()
        timestamps = TimestampUnwrapper()
        reception = ReceiveStatistics(clockRate: clockRate)
        nacks.reset()
        recentAudio = RecentTimestamps()
        assembler = VideoAssembler()
        clock = nil
        lastCapture = nil
        repair?.reset()
        arrivalLoss = ArrivalLoss()
    }

    /// Begins or ends the use of the repair code; requests for missing packets end where it begins.
    public func useRepair(_ isUsed: Bool) {
        guard isUsed != (repair != nil) else { return }
        repair = isUsed ? RepairDecoder() : nil
        if isUsed { nacks.reset() }
    }

    /// Takes in one video packet. Frames that it makes whole are fetched with ``nextFrame(now:)``.
    public func receiveVideo(
        _ packet: UnsafeRawBufferPointer, header: RTPHeader, extensions: RTPExtensions, isRepair: Bool, now: Instant
    ) throws(DropReason) {
        var startsFrame = false
        var isKeyFrame = false
        var pictureID: UInt16?
        // A constant: a variable whose span is taken would be put on the heap.
        let described = UnsafeRawBufferPointer(rebasing: packet[header.payloadRange])
        var descriptorLength = 0
        if header.payloadLength > 0 {
            let (descriptor, length) = try VP8PayloadDescriptor.parse(described.bytes)
            descriptorLength = length
            pictureID = descriptor.pictureID
            startsFrame = descriptor.startsFrame
            // The lowest bit of a frame says that it is not a key frame (RFC 6386 section 9.1).
            if startsFrame, length < described.count { isKeyFrame = described[length] & 1 == 0 }
        }
        let payload = UnsafeRawBufferPointer(rebasing: described[descriptorLength...])
        guard let place = admit(header, isRepair: isRepair, now: now) else { throw .rtpSequenceJump }
        if firstArrival == nil {
            firstArrival = now
            // The first key frame may be what was lost: nothing but its head tells.
            if asksForMissing, !isKeyFrame { nacks.expect(before: place.sequence, count: Self.unseenStart, now: now) }
        }
        if asksForMissing, !nacks.received(place.sequence, now: now), !assembler.knowsReferences {
            assembler.requireKeyFrame()
        }
        let note = VideoPacketNote(
            sequence: place.sequence, timestamp: place.timestamp, marker: header.marker, startsFrame: startsFrame,
            isKeyFrame: isKeyFrame, pictureID: pictureID, isPadding: header.payloadLength == 0, isRepaired: isRepair,
            captureTime: captureTime(extensions, place.timestamp), arrival: now, references: extensions.frameReferences)
        newest = place.sequence
        if !isRepair { arrivalLoss.received(place.sequence, now: now) }
        if case .drop(let reason) = assembler.insert(note, payload: payload) { throw reason }
    }

    private var newest: Int64 = 0
    private var firstArrival: Instant?

    /// The next whole frame in order; to be called until it answers nothing.
    public func nextFrame(now: Instant) -> EncodedVideoFrame? {
        let frame = assembler.nextFrame(pool: &pool, arrived: newest, now: now)
        if var frame {
            if repair != nil { frame.repairDelay = arrivalLoss.playoutDelay }
            statistics.framesReceived &+= 1
            if frame.isKeyFrame { statistics.keyFramesReceived &+= 1 }
            if frame.repairedPackets > 0 { statistics.framesRepaired &+= 1 }
            if let waiting = assembler.waitingFor {
                nacks.forget(before: waiting)
                repair?.forget(before: UInt16(truncatingIfNeeded: waiting))
            }
            blockedSince = nil
            holeSince = nil
            if let picture = frame.pictureID { repairReports.delivered(picture) }
            return frame
        } else if assembler.isAdrift || assembler.isBlocked(highest: reception.highestSequence) {
            blockedSince = blockedSince ?? now
            let hole = holeSince ?? now
            holeSince = hole
            if now - hole > Self.longestBlock { assembler.requireKeyFrame() }
        } else {
            blockedSince = nil
            holeSince = nil
        }
        return nil
    }

    /// The decoder could not use what it got.
    public func requireKeyFrame() { assembler.requireKeyFrame() }

    /// Notes a sender report: the pair of clocks, and what the next report sends back.
    public func receive(senderReport ntp: NTPTime, timestamp: UInt32, now: Instant) {
        lastSenderReport = (ntp.compact, now)
        guard reception.highestSequence != nil else { return }
        clock = (ntp, timestamps.peek(timestamp))
    }

    /// The sender's wall clock at capture: as the packet says, or by the last sender report.
    func captureTime(_ extensions: RTPExtensions, _ timestamp: Int64) -> NTPTime? {
        if let stamped = extensions.absCaptureTime {
            lastCapture = (stamped.captureTime, timestamp)
            return stamped.captureTime
        }
        // What repair brings back has no extensions: its neighbours tell.
        if let last = lastCapture {
            return last.ntp.advanced(by: MediaTime(ticks: timestamp &- last.timestamp, clockRate: clockRate).delta)
        }
        guard let clock else { return nil }
        return clock.ntp.advanced(by: MediaTime(ticks: timestamp &- clock.timestamp, clockRate: clockRate).delta)
    }

    // MARK: Feedback

    private func asks(_ roundTrip: TimeDelta) -> Bool {
        asksForMissing
            && (kind == .video
                || RepairController.asksForMissingAudio(roundTrip: roundTrip, playoutDelay: playoutDelay))
    }

    /// Between two acknowledgements while all is well, and while a frame is missing. What the sender learns late, the
    /// viewer sees late; an acknowledgement has 28 bytes.
    static let acknowledgementInterval = TimeDelta.milliseconds(50)
    static let urgentInterval = TimeDelta.milliseconds(20)

    private var acknowledged: (newest: UInt16, at: Instant)?

    private func acknowledgementDue() -> Instant {
        // The repair code's reports say the same.
        guard kind == .video, repair == nil, assembler.knowsReferences, let newest = assembler.decoded.newest else {
            return .distantFuture
        }
        guard let acknowledged else { return .zero }
        if blockedSince != nil { return acknowledged.at + Self.urgentInterval }
        return acknowledged.newest == newest ? .distantFuture : acknowledged.at + Self.acknowledgementInterval
    }

    /// What was decoded, if that is to be said now. Only senders that tell what frames lean on are told.
    public func takeAcknowledgement(now: Instant) -> FrameAcknowledgement? {
        guard acknowledgementDue() <= now, let newest = assembler.decoded.newest else { return nil }
        acknowledged = (newest, now)
        return FrameAcknowledgement(mediaSSRC: ssrc, newest: newest, earlier: assembler.decoded.earlier)
    }

    /// Frames that went on behind a lost one without a key frame.
    public var framesRecovered: UInt64 { assembler.framesRecovered }

    /// Appends the numbers of the packets to ask for now.
    public func collectMissing(now: Instant, roundTrip: TimeDelta, into due: inout [UInt16]) {
        guard asks(roundTrip) else { return }
        let before = due.count
        nacks.collect(now: now, roundTrip: roundTrip, into: &due)
        statistics.packetsRequested &+= UInt64(due.count - before)
        if due.count > before { statistics.nacksSent &+= 1 }
    }

    /// Whether to ask for a key frame now. Asking is counted by the question.
    public func wantsKeyFrame(now: Instant, roundTrip: TimeDelta) -> Bool {
        guard asksForKeyFrames, kind == .video, keyFrameDue(roundTrip) <= now else { return false }
        keyFrameAsked = now
        blockedSince = nil
        statistics.plisSent &+= 1
        return true
    }

    private func keyFrameDue(_ roundTrip: TimeDelta) -> Instant {
        guard let firstArrival else { return .distantFuture }
        let again = keyFrameAsked.map { $0 + max(Self.keyFrameInterval, roundTrip * 1.5) } ?? .distantPast
        // The first key frame comes unasked; only where it does not get through it is asked for.
        if statistics.framesReceived == 0 { return max(again, firstArrival + Self.patience + roundTrip * 2) }
        if assembler.needsKeyFrame { return again }
        guard let blockedSince else { return .distantFuture }
        return max(again, blockedSince + Self.patience + roundTrip * 2)
    }

    /// When ``collectMissing(now:roundTrip:into:)`` or ``wantsKeyFrame(now:roundTrip:)`` has something to say.
    public func nextDeadline(roundTrip: TimeDelta) -> Instant {
        var deadline = repair == nil ? Instant.distantFuture : repairReports.next
        if asks(roundTrip) { deadline = nacks.nextDeadline(roundTrip: roundTrip) }
        if asksForKeyFrames, kind == .video { deadline = min(deadline, max(keyFrameDue(roundTrip), .zero)) }
        deadline = min(deadline, acknowledgementDue())
        return deadline
    }

    /// The loss since the last report, in 1/256.
    public func takeFractionLost() -> UInt8 { reception.takeFractionLost() }
    public func countFIR() { statistics.plisSent &+= 1 }
}

/// Counts of one stream that is received, beside ``ReceiveStatistics``; names as in W3C webrtc-stats inbound-rtp
/// where there is one.
public struct ReceiveCounters: Hashable, Sendable {
    /// Whole frames, and key frames of them.
    public var framesReceived: UInt64 = 0
    public var keyFramesReceived: UInt64 = 0
    /// Frames of which at least one packet had to be sent again.
    public var framesRepaired: UInt64 = 0
    public var retransmittedPacketsReceived: UInt64 = 0
    /// Packets of sound that brought earlier ones along (RFC 2198), and repair packets that came (fecPacketsReceived).
    public var redundantPacketsReceived: UInt64 = 0
    public var fecPacketsReceived: UInt64 = 0
    /// Packets that redundancy or a repair code brought back.
    public var packetsRecovered: UInt64 = 0
    public var packetsRequested: UInt64 = 0
    public var nacksSent: UInt64 = 0
    public var plisSent: UInt64 = 0
    public var restarts: UInt64 = 0
    public init() {}
}
