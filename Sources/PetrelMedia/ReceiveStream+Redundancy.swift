public import PetrelCore
public import PetrelWire

/// How a packet of sound got here.
public enum AudioPacketOrigin: UInt8, Hashable, Sendable {
    /// In the packet that was sent for it.
    case media
    /// In a later packet (RFC 2198), before or without its own.
    case redundancy
    /// Sent again because it was asked for.
    case retransmission
}

/// The timestamps that were handed out lately: each packet of sound goes on once, however often it comes.
///
/// What is forgotten too early comes twice, which the playout buffer sees too.
struct RecentTimestamps {
    private var slots = InlineArray<256, Int64>(repeating: .min)

    /// Whether this timestamp is new; it is remembered then.
    mutating func insert(_ timestamp: Int64) -> Bool {
        let slot = Int((UInt64(bitPattern: timestamp) &* 0x9E37_79B9_7F4A_7C15) >> 56)
        guard slots[slot] != timestamp else { return false }
        slots[slot] = timestamp
        return true
    }
}

extension ReceiveStream {
    /// Takes in one audio packet and hands out what is new in it, the newest first.
    ///
    /// - Parameters:
    ///   - blockType: for a packet of redundant payloads (RFC 2198), the payload type of its blocks; nil for all others.
    ///     Blocks of another type, RED within RED too, are left out.
    ///   - deliver: called for each packet of sound that was not there before.
    /// - Throws: `rtpSequenceJump` where the packet is not believed, and what ``RED/init(parsing:)`` throws.
    public func receiveAudio(
        _ packet: UnsafeRawBufferPointer, header: RTPHeader, extensions: RTPExtensions, isRepair: Bool,
        redundancyOf blockType: UInt8?, now: Instant, deliver: (EncodedAudioPacket) -> Void
    ) throws(DropReason) {
        let payload = UnsafeRawBufferPointer(rebasing: packet[header.payloadRange])
        guard let blockType, !payload.isEmpty else {
            guard let place = admit(header, isRepair: isRepair, now: now) else { throw .rtpSequenceJump }
            let wasAsked = noteArrival(place.sequence, now: now)
            guard !payload.isEmpty, recentAudio.insert(place.timestamp) else { return }
            deliver(
                encoded(
                    payload, sequence: place.sequence, timestamp: place.timestamp, header, extensions,
                    origin: isRepair || wasAsked ? .retransmission : .media, now: now))
            return
        }
        let red = try RED(parsing: payload.bytes)
        guard let place = admit(header, isRepair: isRepair, now: now) else { throw .rtpSequenceJump }
        let wasAsked = noteArrival(place.sequence, now: now)
        var reach: Int32 = 0
        var depth: UInt8 = 0
        for index in 0..<red.count where !red[index].isPrimary && red[index].length > 0 {
            reach = max(reach, Int32(red[index].timestampOffset))
            depth += 1
        }
        if depth > 0 { statistics.redundantPacketsReceived &+= 1 }
        for index in (0..<red.count).reversed() {
            let block = red[index]
            guard block.payloadType == blockType, block.length > 0 else { continue }
            let bytes = UnsafeRawBufferPointer(rebasing: payload[block.range])
            guard !block.isPrimary else {
                guard recentAudio.insert(place.timestamp) else { continue }
                deliver(
                    encoded(
                        bytes, sequence: place.sequence, timestamp: place.timestamp, header, extensions,
                        origin: isRepair || wasAsked ? .retransmission : .media, reach: reach, depth: depth, now: now))
                continue
            }
            let offset = Int64(block.timestampOffset)
            // What it is must be readable: its place in the stream is counted from its length.
            guard offset > 0, let samples = OpusPacket.samples(in: bytes.bytes) else { continue }
            let distance = max(1, (offset + Int64(samples) / 2) / Int64(samples))
            guard recentAudio.insert(place.timestamp &- offset) else { continue }
            statistics.packetsRecovered &+= 1
            _ = noteArrival(place.sequence &- distance, now: now)
            deliver(
                encoded(
                    bytes, sequence: place.sequence &- distance, timestamp: place.timestamp &- offset, header,
                    extensions, offset: offset, origin: .redundancy, reach: reach, depth: depth, now: now))
        }
    }

    /// Whether the packet had been asked for; it is missing no more.
    private func noteArrival(_ sequence: Int64, now: Instant) -> Bool {
        guard asksForMissing else { return false }
        let wasAsked = nacks.isAsked(sequence)
        _ = nacks.received(sequence, now: now)
        return wasAsked
    }

    private func encoded(
        _ bytes: UnsafeRawBufferPointer, sequence: Int64, timestamp: Int64, _ header: RTPHeader,
        _ extensions: RTPExtensions, offset: Int64 = 0, origin: AudioPacketOrigin, reach: Int32 = 0, depth: UInt8 = 0,
        now: Instant
    ) -> EncodedAudioPacket {
        let payload = pool.take(capacity: bytes.count)
        payload.append(bytes)
        let captured = captureTime(extensions, timestamp &+ offset)
        return EncodedAudioPacket(
            payload: payload, sequence: sequence, timestamp: timestamp, marker: header.marker && offset == 0,
            captureTime: captured?.advanced(by: MediaTime(ticks: -offset, clockRate: clockRate).delta), arrival: now,
            level: offset == 0 ? extensions.audioLevel : nil, origin: origin, redundancyReach: reach,
            redundancyDepth: depth, redundancyDistance: Int32(truncatingIfNeeded: offset))
    }
}
