public import PetrelCore
public import PetrelWire

/// One packet of a video stream as the assembler needs to know it.
public struct VideoPacketNote: Sendable {
    /// Extended RTP sequence number.
    public var sequence: Int64
    /// Extended RTP timestamp, 90 kHz.
    public var timestamp: Int64
    /// The last packet of its frame (RTP marker).
    public var marker: Bool
    /// The first packet of its frame (S bit set and partition 0, RFC 7741 section 4.2).
    public var startsFrame: Bool
    /// In a first packet: the frame is a key frame.
    public var isKeyFrame: Bool
    /// The picture id of its frame (RFC 7741), where it has one.
    public var pictureID: UInt16?
    /// A packet without payload: it only fills its place in the sequence.
    public var isPadding: Bool
    /// Sent again on request (RTX).
    public var isRepaired: Bool
    /// The sender's capture time, where the packet carries it.
    public var captureTime: NTPTime?
    public var arrival: Instant
    /// Which frames its frame leans on; nil where the packet does not say.
    public var references: FrameReferences?

    public init(
        sequence: Int64, timestamp: Int64, marker: Bool, startsFrame: Bool, isKeyFrame: Bool,
        pictureID: UInt16? = nil, isPadding: Bool, isRepaired: Bool, captureTime: NTPTime?, arrival: Instant,
        references: FrameReferences? = nil
    ) {
        self.sequence = sequence
        self.timestamp = timestamp
        self.marker = marker
        self.startsFrame = startsFrame
        self.isKeyFrame = isKeyFrame
        self.isPadding = isPadding
        self.isRepaired = isRepaired
        self.captureTime = captureTime
        self.arrival = arrival
        self.pictureID = pictureID
        self.references = references
    }
}

/// An encoded frame, whole and decodable.
public struct EncodedVideoFrame: Sendable {
    /// The bytes of the frame, and whether it can be decoded alone.
    public var payload: FrameBuffer
    public var isKeyFrame: Bool
    /// Extended RTP timestamp, 90 kHz.
    public var timestamp: Int64
    public var captureTime: NTPTime?
    public var firstArrival: Instant
    public var completed: Instant
    /// Packets it came in, and how many of them were sent again.
    public var packets: Int
    public var repairedPackets: Int
    /// The picture id (RFC 7741), where it has one.
    public var pictureID: UInt16?
    /// What the frames of this stream should wait for repair, beyond the fastest arrival; zero where nothing is lost or
    /// nothing but requests repairs it.
    public var repairDelay = TimeDelta.zero
}

/// Puts packets back together to frames, in order, and hands out only what can be decoded.
///
/// Where packets do not say otherwise every frame leans on the one before it, so frames are handed out in unbroken
/// sequence, and a key frame may jump a gap. Where they say what they lean on (``FrameReferences``), a frame of which all
/// that was handed out may jump a gap too, and one that leans on a lost frame is let go. All memory is taken at creation.
public struct VideoAssembler: ~Copyable {
    /// Packets held: more than 5 s of 720p at 2.5 Mbit/s, so that a hole is given up by time and not by space.
    public static let capacity = 1024
    /// The longest payload of one packet.
    public static let maximumPayload = 1472
    /// The most packets in one frame. A 1080p key frame at top quality has some 400.
    public static let maximumFramePackets = 768

    private let memory: SlotMemory
    private var notes: [VideoPacketNote?]
    private var lengths: [Int]
    /// The first packet not handed out yet.
    private var next: Int64?
    /// The packet the scan has come to; all from `next` to here are present.
    private var cursor: Int64 = 0
    private var frameStart: Int64?
    /// No frame can be decoded before the next key frame.
    public private(set) var needsKeyFrame = true
    public private(set) var framesAssembled: UInt64 = 0
    public private(set) var keyFrames: UInt64 = 0
    public private(set) var framesDropped: UInt64 = 0
    /// Frames that went on behind a lost one, without a key frame.
    public private(set) var framesRecovered: UInt64 = 0
    /// What was handed out, where frames have picture ids.
    public private(set) var decoded = DecodedFrames()
    /// Frames say what they lean on.
    public private(set) var knowsReferences = false
    /// The newest whole frame leans on something that is lost.
    public private(set) var isAdrift = false

    public init() {
        memory = SlotMemory(count: Self.capacity, slotSize: Self.maximumPayload)
        notes = Array(repeating: nil, count: Self.capacity)
        lengths = Array(repeating: 0, count: Self.capacity)
    }

    /// The first packet the assembler still waits for; nil before the first.
    public var waitingFor: Int64? { next == nil ? nil : cursor }
    /// Whether packets wait behind a hole.
    public func isBlocked(highest: Int64?) -> Bool {
        guard next != nil, let highest else { return false }
        return highest >= cursor
    }

    private func index(_ sequence: Int64) -> Int { Int(sequence & 0x7FFF_FFFF_FFFF_FFFF) % Self.capacity }
    private func note(_ sequence: Int64) -> VideoPacketNote? {
        guard sequence >= 0, let note = notes[index(sequence)], note.sequence == sequence else { return nil }
        return note
    }

    /// Takes in one packet.
    public mutating func insert(_ packet: VideoPacketNote, payload: UnsafeRawBufferPointer) -> Verdict {
        guard payload.count <= Self.maximumPayload else { return .drop(.frameTooLarge) }
        if let first = next, packet.sequence < first {
            // Before the first frame the start of the stream is not known yet: a packet sent again may lie before it.
            guard framesAssembled == 0, framesDropped == 0, first - packet.sequence < Int64(Self.capacity / 2) else {
                return .drop(.rtpTooOld)
            }
            next = packet.sequence
            cursor = packet.sequence
            frameStart = nil
        }
        if let next, packet.sequence - next >= Int64(Self.capacity) {
            // Too far ahead of the hole: what waited for it is lost, only a key frame helps.
            waitForKeyFrame(from: packet.sequence)
        }
        if packet.references != nil { knowsReferences = true }
        let index = index(packet.sequence)
        if let held = notes[index], held.sequence == packet.sequence { return .drop(.rtpDuplicate) }
        if let held = notes[index], held.sequence > packet.sequence { return .drop(.rtpTooOld) }
        notes[index] = packet
        lengths[index] = payload.count
        memory.slot(index).copyMemory(from: payload)
        if next == nil {
            next = packet.sequence
            cursor = packet.sequence
        }
        return .accept
    }

    /// Gives up everything before `sequence` and waits for a key frame.
    public mutating func waitForKeyFrame(from sequence: Int64) {
        needsKeyFrame = true
        framesDropped &+= 1
        next = sequence
        cursor = sequence
        frameStart = nil
    }

    /// The decoder could not use what it got: nothing more is handed out before a key frame.
    public mutating func requireKeyFrame() {
        needsKeyFrame = true
        decoded.removeAll()
    }

    private func references(in range: ClosedRange<Int64>) -> FrameReferences? {
        for sequence in range {
            if let references = note(sequence)?.references { return references }
        }
        return nil
    }

    /// Whether everything that a frame leans on was handed out, as far as its packets tell.
    private func isDecodable(_ first: VideoPacketNote, in range: ClosedRange<Int64>, mayJump: Bool) -> Bool {
        if first.isKeyFrame { return true }
        guard !needsKeyFrame else { return false }
        // Every packet says it, but for those that were brought back by a code that keeps no header extensions.
        guard range.count <= Self.maximumFramePackets, let id = first.pictureID,
            let references = references(in: range)
        else { return !mayJump && !isAdrift }
        return references.count > 0 && decoded.contains(references, of: id)
    }

    /// The next frame that is whole and decodable, if there is one.
    public mutating func nextFrame(pool: inout FrameBufferPool, arrived packet: Int64, now: Instant)
        -> EncodedVideoFrame?
    {
        if let frame = nextInSequence(pool: &pool, now: now) { return frame }
        return jump(holding: packet, pool: &pool, now: now)
    }

    private mutating func nextInSequence(pool: inout FrameBufferPool, now: Instant) -> EncodedVideoFrame? {
        while let packet = note(cursor) {
            defer { cursor += 1 }
            if packet.isPadding {
                if frameStart == nil { next = cursor + 1 }
                continue
            }
            if packet.startsFrame, frameStart == nil || note(frameStart ?? 0)?.timestamp != packet.timestamp {
                frameStart = cursor
            }
            guard packet.marker else { continue }
            let start = frameStart
            frameStart = nil
            next = cursor + 1
            guard let start, let first = note(start), first.timestamp == packet.timestamp else {
                // Joined in the middle of a frame, or a marker without a start: nothing to show.
                if framesAssembled > 0 { framesDropped &+= 1 }
                needsKeyFrame = true
                continue
            }
            guard isDecodable(first, in: start...cursor, mayJump: false) else {
                if framesAssembled > 0 { framesDropped &+= 1 }
                isAdrift = !needsKeyFrame
                continue
            }
            if let frame = take(start...cursor, first: first, pool: &pool, now: now) { return frame }
        }
        return nil
    }

    /// A whole frame beyond a hole that leans on nothing in the hole ends the wait for what is in it.
    private mutating func jump(
        holding packet: Int64, pool: inout FrameBufferPool, now: Instant
    ) -> EncodedVideoFrame? {
        guard packet > cursor, let arrived = note(packet) else { return nil }
        var start = packet
        while let candidate = note(start), candidate.timestamp == arrived.timestamp, !candidate.startsFrame,
            packet - start < Int64(Self.maximumFramePackets)
        {
            start -= 1
        }
        guard let first = note(start), first.startsFrame, first.timestamp == arrived.timestamp,
            first.isKeyFrame || knowsReferences
        else {
            return nil
        }
        var end = packet
        while let candidate = note(end), candidate.timestamp == arrived.timestamp, !candidate.marker,
            end - start < Int64(Self.maximumFramePackets)
        {
            end += 1
        }
        guard let last = note(end), last.marker, last.timestamp == arrived.timestamp,
            isDecodable(first, in: start...end, mayJump: true)
        else { return nil }
        framesDropped &+= 1
        if !first.isKeyFrame { framesRecovered &+= 1 }
        let frame = take(start...end, first: first, pool: &pool, now: now)
        next = end + 1
        cursor = end + 1
        frameStart = nil
        return frame
    }

    private mutating func take(
        _ range: ClosedRange<Int64>, first: VideoPacketNote, pool: inout FrameBufferPool, now: Instant
    ) -> EncodedVideoFrame? {
        guard range.count <= Self.maximumFramePackets else {
            needsKeyFrame = true
            framesDropped &+= 1
            return nil
        }
        var bytes = 0
        var firstArrival = first.arrival
        var repaired = 0
        for sequence in range {
            let index = index(sequence)
            bytes += lengths[index]
            guard let packet = notes[index] else { continue }
            firstArrival = min(firstArrival, packet.arrival)
            if packet.isRepaired { repaired += 1 }
        }
        let payload = pool.take(capacity: bytes)
        for sequence in range {
            let index = index(sequence)
            payload.append(UnsafeRawBufferPointer(rebasing: memory.slot(index)[..<lengths[index]]))
        }
        needsKeyFrame = false
        isAdrift = false
        if first.isKeyFrame { decoded.removeAll() }
        if let id = first.pictureID { decoded.insert(id) }
        framesAssembled &+= 1
        if first.isKeyFrame { keyFrames &+= 1 }
        return EncodedVideoFrame(
            payload: payload, isKeyFrame: first.isKeyFrame, timestamp: first.timestamp, captureTime: first.captureTime,
            firstArrival: firstArrival, completed: now, packets: range.count, repairedPackets: repaired,
            pictureID: first.pictureID)
    }
}
