public import PetrelCongestion
public import PetrelCore
public import PetrelWire

/// Audio or video.
public enum StreamKind: String, Hashable, Sendable, CaseIterable { case audio, video }

/// What was negotiated for sending one stream.
public struct SendParameters: Hashable, Sendable {
    /// The negotiated payload type.
    public var payloadType: UInt8
    /// The payload type of retransmissions (RFC 4588); nil where they were not negotiated.
    public var rtxPayloadType: UInt8?
    /// The payload type of redundant payloads (RFC 2198); nil where they were not negotiated.
    public var redPayloadType: UInt8?
    /// The payload type of the sliding-window repair code; nil where it was not negotiated.
    public var repairPayloadType: UInt8?
    public var extensions: RTPExtensionMap
    public var mid: String?

    public init(
        payloadType: UInt8, rtxPayloadType: UInt8? = nil, redPayloadType: UInt8? = nil,
        repairPayloadType: UInt8? = nil,
        extensions: RTPExtensionMap = .none, mid: String? = nil
    ) {
        self.redPayloadType = redPayloadType
        self.payloadType = payloadType
        self.rtxPayloadType = rtxPayloadType
        self.repairPayloadType = repairPayloadType
        self.extensions = extensions
        self.mid = mid
    }
}

/// One RTP stream that is sent: it cuts frames into packets, keeps them until they leave, and sends them again.
///
/// Packets are written once, whole, into the history; on release they are copied into the datagram slot, where the
/// time of sending and the transport-wide number are filled in. Nothing here allocates per packet.
public final class SendStream {
    /// What is sent, its source, those of its retransmissions and of its repair packets, and the ticks per second of its
    /// timestamps.
    public let kind: StreamKind
    public let ssrc: UInt32
    public let rtxSSRC: UInt32?
    public let repairSSRC: UInt32?
    public let clockRate: Int32
    /// What was negotiated.
    public private(set) var parameters: SendParameters
    /// What has been sent.
    public private(set) var statistics = SendStatistics()

    /// The packet history: some 3 s of 720p video, 10 s of audio.
    static let videoHistory = 1024
    static let audioHistory = 512
    /// The largest datagram that is built, without the address headers: safe on every path that carries WebRTC.
    public static let maximumDatagram = 1200
    /// What encryption adds at the most: the tag of AES-GCM.
    static let cipherOverhead = 16
    /// A packet is not sent again within this share of the round trip: the first repeat is still on its way.
    static let repeatHoldOff = 0.9

    var history: PacketHistory
    private(set) var nextSequence: Int64
    private var redundancy: AudioRedundancy
    var ledger: RepairLedger
    let repairHead = SlotMemory(count: 1, slotSize: 64)
    private var nextRTXSequence: UInt16
    private let timestampOffset: UInt32
    private var pictureID: UInt16
    /// The number of the frame that ``pictureID`` belongs to, where frames have numbers.
    private var newestFrame: Int64?
    private(set) var midToken: ShortToken?
    private(set) var lastCapture: (time: Instant, timestamp: UInt32)?

    /// Creates a stream with a random first sequence number and timestamp, where `start` does not give them.
    public init(
        kind: StreamKind, ssrc: UInt32, rtxSSRC: UInt32?, repairSSRC: UInt32? = nil, random: inout RandomSource,
        start: Start? = nil
    ) {
        self.kind = kind
        self.ssrc = ssrc
        self.rtxSSRC = rtxSSRC
        self.repairSSRC = repairSSRC
        clockRate = kind == .audio ? 48_000 : 90_000
        redundancy = AudioRedundancy(isUsed: kind == .audio)
        history = PacketHistory(capacity: kind == .audio ? Self.audioHistory : Self.videoHistory)
        // Below 2^15, so that losses at the very start cannot be taken for a wrap (RFC 3711 section 3.3.1).
        nextSequence = Int64(start?.sequence ?? UInt16(truncatingIfNeeded: random.next() & 0x7FFF))
        nextRTXSequence = UInt16(truncatingIfNeeded: random.next() & 0x7FFF)
        timestampOffset = start?.timestamp ?? UInt32(truncatingIfNeeded: random.next())
        pictureID = UInt16(truncatingIfNeeded: random.next() & 0x7FFF)
        ledger = RepairLedger(firstNumber: repairSSRC == nil ? 0 : UInt16(truncatingIfNeeded: random.next() & 0x7FFF))
        parameters = SendParameters(payloadType: 0)
    }

    /// First values chosen by hand, so that a test can begin just before a wrap.
    public struct Start: Hashable, Sendable {
        /// First sequence number and timestamp.
        public var sequence: UInt16
        public var timestamp: UInt32
        public init(sequence: UInt16, timestamp: UInt32) { (self.sequence, self.timestamp) = (sequence, timestamp) }
    }

    /// Sets what was negotiated; to be called before the first packet and after each negotiation.
    public func configure(_ parameters: SendParameters) {
        self.parameters = parameters
        midToken = parameters.mid.flatMap { ShortToken($0) }
    }

    // MARK: Writing packets

    /// Cuts one VP8 frame into packets (RFC 7741).
    /// - Returns: the extended sequence numbers of the packets; nil for an empty frame or one of more packets than the
    ///   history holds.
    /// - Parameters:
    ///   - dependency: the number of the frame and what it leans on, where the other side wants to know; with it the
    ///     picture ids count the numbers.
    public func packetize(
        vp8 frame: UnsafeRawBufferPointer, captured: Instant, captureTime: NTPTime, dependency: FrameDependency? = nil
    ) -> ClosedRange<Int64>? {
        guard !frame.isEmpty else { return nil }
        let step = dependency.flatMap { new in newestFrame.map { new.number &- $0 } } ?? 1
        pictureID = (pictureID &+ UInt16(truncatingIfNeeded: max(1, step))) & 0x7FFF
        newestFrame = dependency?.number
        let timestamp = rtpTimestamp(ticks: MediaTime(delta: captured - .zero, clockRate: clockRate).ticks)
        lastCapture = (captured, timestamp)
        var extensions = extensions(captureTime: captureTime, level: nil)
        extensions.frameReferences = dependency?.references
        let overhead =
            RTPHeader.writtenLength(extensions: extensions, map: parameters.extensions)
            + VP8PayloadDescriptor.maximumLength + Self.cipherOverhead
            + (usesRepairCode ? Self.repairOverhead : RTX.originalSequenceNumberLength)
        let room = Self.maximumDatagram - overhead
        let packets = (frame.count + room - 1) / room
        guard packets < history.capacity else { return nil }
        // All but the last are of one length, so that a driver may send them as one segmented datagram.
        let chunk = (frame.count + packets - 1) / packets
        let first = nextSequence
        var offset = 0
        while offset < frame.count {
            let length = min(chunk, frame.count - offset)
            let payload = UnsafeRawBufferPointer(rebasing: frame[offset..<(offset + length)])
            let descriptor = VP8PayloadDescriptor(startsPartition: offset == 0, pictureID: pictureID)
            offset += length
            _ = append(
                payload, descriptor: descriptor, marker: offset == frame.count, timestamp: timestamp,
                extensions: extensions)
        }
        statistics.framesSent &+= 1
        guard nextSequence > first else { return nil }
        return first...(nextSequence - 1)
    }

    /// The number of the frame with this picture id; nil where frames have no numbers, and for one that was never sent.
    public func frameNumber(pictureID id: UInt16) -> Int64? {
        guard let newestFrame else { return nil }
        let behind = Int64((pictureID &- id) & 0x7FFF)
        return behind < 0x4000 ? newestFrame - behind : nil
    }

    /// Puts one Opus packet into an RTP packet (RFC 7587).
    /// - Parameters:
    ///   - ticks: the media time of its first sample in samples at 48 kHz, counted on through silence.
    ///   - redundancy: the earlier packets that go along where that was negotiated (RFC 2198).
    public func packetize(
        opus payload: UnsafeRawBufferPointer, ticks: Int64, isFirstAfterSilence: Bool, level: AudioLevel?,
        captured: Instant, captureTime: NTPTime, redundancy offsets: RedundancyOffsets = .none
    ) -> Int64? {
        guard kind == .audio, !payload.isEmpty, payload.count <= Self.maximumDatagram - 100 else { return nil }
        let timestamp = rtpTimestamp(ticks: ticks)
        lastCapture = (captured, timestamp)
        let extensions = extensions(captureTime: captureTime, level: level)
        let sequence = nextSequence
        defer { redundancy.remember(payload, ticks: ticks, sequence: sequence) }
        if let redPayloadType = parameters.redPayloadType, !offsets.isEmpty {
            let overhead =
                RTPHeader.writtenLength(extensions: extensions, map: parameters.extensions) + Self.cipherOverhead
            if let (bytes, blocks) = redundancy.payload(
                payload, ticks: ticks, sequence: sequence, offsets: offsets, room: Self.maximumDatagram - overhead,
                payloadType: parameters.payloadType)
            {
                let sent = append(
                    bytes, payloadType: redPayloadType, mediaBytes: payload.count, descriptor: nil,
                    marker: isFirstAfterSilence, timestamp: timestamp, extensions: extensions)
                if sent != nil {
                    statistics.redundantPacketsSent &+= 1
                    statistics.redundantBlocksSent &+= UInt64(blocks)
                    statistics.redundantBytesSent &+= UInt64(bytes.count - payload.count)
                }
                return sent
            }
        }
        return append(
            payload, descriptor: nil, marker: isFirstAfterSilence, timestamp: timestamp, extensions: extensions)
    }

    private func rtpTimestamp(ticks: Int64) -> UInt32 { timestampOffset &+ UInt32(truncatingIfNeeded: ticks) }

    private func extensions(captureTime: NTPTime, level: AudioLevel?) -> RTPExtensions {
        RTPExtensions(
            mid: midToken, absSendTime: AbsSendTime(bits: 0), transportSequenceNumber: 0,
            absCaptureTime: AbsCaptureTime(captureTime: captureTime), audioLevel: level)
    }

    private func append(
        _ payload: UnsafeRawBufferPointer, payloadType: UInt8? = nil, mediaBytes: Int? = nil,
        descriptor: VP8PayloadDescriptor?, marker: Bool, timestamp: UInt32, extensions: RTPExtensions
    ) -> Int64? {
        let sequence = nextSequence
        let stored = history.store(sequence) { slot in
            var offsets = RTPExtensionOffsets()
            guard
                let headerLength = RTPHeader.write(
                    into: slot, marker: marker, payloadType: payloadType ?? parameters.payloadType,
                    sequenceNumber: UInt16(truncatingIfNeeded: sequence), timestamp: timestamp, ssrc: ssrc,
                    extensions: extensions, map: parameters.extensions, offsets: &offsets)
            else { return nil }
            var length = headerLength
            if let descriptor {
                guard let written = descriptor.write(into: UnsafeMutableRawBufferPointer(rebasing: slot[length...]))
                else { return nil }
                length += written
            }
            guard length + payload.count <= slot.count else { return nil }
            UnsafeMutableRawBufferPointer(rebasing: slot[length...]).copyMemory(from: payload)
            return PacketHistory.Layout(length: length + payload.count, headerLength: headerLength, offsets: offsets)
        }
        guard stored != nil else { return nil }
        nextSequence &+= 1
        statistics.mediaBytes &+= UInt64(mediaBytes ?? payload.count)
        return sequence
    }

    // MARK: Releasing packets

    /// The length on the wire that a packet will have before encryption; nil where it is no longer here.
    public func length(of sequence: Int64) -> Int? { history.layout(sequence)?.length }

    /// Writes a packet into its datagram slot for the first time, with the time of sending and, where negotiated, a
    /// transport-wide number taken from `number`.
    /// - Returns: its length before encryption; nil where it is no longer here.
    public func release(
        _ sequence: Int64, into slot: UnsafeMutableRawBufferPointer, now: Instant, number: (Int) -> UInt16
    ) -> Int? {
        guard let layout = history.layout(sequence), layout.length <= slot.count else { return nil }
        // Stamped where it is kept: without RTX it may be sent again, and then bit for bit the same, since a cipher must
        // never meet two packets under one index (RFC 3711 section 9.1, RFC 7714 section 8.1).
        history.patch(layout) { stamp($0, layout, now: now, number: number) }
        slot.copyMemory(from: history.bytes(layout))
        history.noteSent(sequence, now: now)
        statistics.packetsSent &+= 1
        statistics.headerBytesSent &+= UInt64(layout.headerLength)
        statistics.bytesSent &+= UInt64(layout.length - layout.headerLength)
        return layout.length
    }

    /// Writes a packet into its datagram slot again: as a retransmission (RFC 4588) where that was negotiated, and as
    /// the same packet otherwise.
    public func releaseAgain(
        _ sequence: Int64, into slot: UnsafeMutableRawBufferPointer, now: Instant, number: (Int) -> UInt16
    ) -> Int? {
        guard let layout = history.layout(sequence), layout.length <= slot.count else { return nil }
        var length = layout.length
        if let payloadType = parameters.rtxPayloadType, let rtxSSRC {
            let original = history.bytes(layout).bytes
            guard let header = try? RTPHeader(parsing: original),
                let wrapped = RTX.wrap(
                    original, header: header, into: slot, payloadType: payloadType, sequenceNumber: nextRTXSequence,
                    ssrc: rtxSSRC)
            else { return nil }
            nextRTXSequence &+= 1
            length = wrapped
            stamp(slot, layout, now: now, number: number)
        } else {
            guard layout.timesSent > 0 else { return nil }
            slot.copyMemory(from: history.bytes(layout))
        }
        history.noteSent(sequence, now: now)
        statistics.retransmittedPackets &+= 1
        statistics.retransmittedBytes &+= UInt64(layout.length - layout.headerLength)
        return length
    }

    private func stamp(
        _ slot: UnsafeMutableRawBufferPointer, _ layout: PacketHistory.Layout, now: Instant, number: (Int) -> UInt16
    ) {
        layout.offsets.patch(absSendTime: AbsSendTime(now), in: slot)
        if layout.offsets.transportSequenceNumber != 0 {
            layout.offsets.patch(transportSequenceNumber: number(layout.length), in: slot)
        }
    }

    /// The packet that a request for `sequenceNumber` means, if it is still here and was not just sent again.
    public func retransmittable(_ sequenceNumber: UInt16, roundTrip: TimeDelta, now: Instant) -> Int64? {
        statistics.packetsRequested &+= 1
        let behind = Int64(UInt16(truncatingIfNeeded: nextSequence) &- sequenceNumber)
        let sequence = nextSequence - behind
        guard behind > 0, let layout = history.layout(sequence), layout.timesSent > 0 else { return nil }
        // "Each packet at most once per round trip": what was first sent is not held off, its loss has been seen.
        guard layout.timesSent == 1 || now - layout.lastSent >= roundTrip * Self.repeatHoldOff else { return nil }
        return sequence
    }

    func countRepair(header: Int, payload: Int) {
        statistics.repairPackets &+= 1
        statistics.repairBytes &+= UInt64(payload)
        statistics.headerBytesSent &+= UInt64(header)
    }

    /// Frames that the history could not take, or that were dropped before packetisation.
    public func countDroppedFrame() { statistics.framesDropped &+= 1 }
    public func countKeyFrame() { statistics.keyFramesSent &+= 1 }
    public func countNack() { statistics.nacksReceived &+= 1 }
    public func countPLI() { statistics.plisReceived &+= 1 }
    public func countFIR() { statistics.firsReceived &+= 1 }

    /// The media time that belongs to `now`, for a sender report (RFC 3550 section 6.4.1); nil before the first frame.
    public func timestamp(at now: Instant) -> UInt32? {
        guard let lastCapture else { return nil }
        let elapsed = MediaTime(delta: now - lastCapture.time, clockRate: clockRate).ticks
        return lastCapture.timestamp &+ UInt32(truncatingIfNeeded: elapsed)
    }
}

/// Counts of one stream that is sent; names as in W3C webrtc-stats outbound-rtp where there is one.
public struct SendStatistics: Hashable, Sendable {
    /// Packets sent for the first time.
    public var packetsSent: UInt64 = 0
    /// Payload bytes, without headers and padding.
    public var bytesSent: UInt64 = 0
    public var headerBytesSent: UInt64 = 0
    /// Bytes that came from the encoder.
    public var mediaBytes: UInt64 = 0
    public var framesSent: UInt64 = 0
    public var keyFramesSent: UInt64 = 0
    public var framesDropped: UInt64 = 0
    public var retransmittedPackets: UInt64 = 0
    public var retransmittedBytes: UInt64 = 0
    /// Packets with earlier ones in them (RFC 2198), how many earlier ones, and the bytes these took.
    public var redundantPacketsSent: UInt64 = 0
    public var redundantBlocksSent: UInt64 = 0
    public var redundantBytesSent: UInt64 = 0
    /// Packets of the repair code, and their payload bytes.
    public var repairPackets: UInt64 = 0
    public var repairBytes: UInt64 = 0
    public var packetsRequested: UInt64 = 0
    public var nacksReceived: UInt64 = 0
    public var plisReceived: UInt64 = 0
    public var firsReceived: UInt64 = 0
    public init() {}
}
