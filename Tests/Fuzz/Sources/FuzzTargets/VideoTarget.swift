import PetrelCore
import PetrelMedia
import PetrelWire

/// Video reception: packets of any number, time and content, with requests for what is missing.
func fuzzVideoAssembler(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let flags = cursor.byte()
    let stream = ReceiveStream(kind: flags & 1 == 0 ? .video : .audio, ssrc: 5)
    stream.asksForMissing = flags & 2 == 0
    stream.asksForKeyFrames = flags & 4 == 0
    var now = Instant.zero + .seconds(1)
    var sequence = cursor.word()
    var timestamp = cursor.long()
    var lastTimestamp = Int64.min
    var restarts = stream.statistics.restarts
    while !cursor.isEmpty {
        let code = cursor.byte()
        var isRepair = false
        switch code & 7 {
        case 0, 1, 2, 3: sequence &+= 1
        case 4: sequence &+= UInt16(cursor.byte())
        case 5: sequence &-= UInt16(cursor.byte())
        case 6: sequence = cursor.word()
        default: isRepair = true
        }
        if code & 8 != 0 { timestamp &+= 3000 }
        if code & 16 != 0 { now += cursor.step() }
        if code & 96 == 96 { timestamp = cursor.long() }
        send(stream, &cursor, sequence: sequence, timestamp: timestamp, isRepair: isRepair, now: now)
        if stream.statistics.restarts != restarts { (restarts, lastTimestamp) = (stream.statistics.restarts, .min) }
        var frames = 0
        while let frame = stream.nextFrame(now: now) {
            frames += 1
            require(frames <= VideoAssembler.capacity, "frames come to an end")
            require(frame.packets > 0 && frame.packets <= VideoAssembler.maximumFramePackets, "packets of a frame")
            require(frame.payload.count > 0, "a frame has bytes")
            require(frame.repairedPackets <= frame.packets, "repaired packets of a frame")
            lastTimestamp = frame.timestamp
        }
        if code & 128 != 0 { feedback(stream, &cursor, now: now) }
    }
    _ = lastTimestamp
    feedback(stream, &cursor, now: now + .seconds(3))
}

private func send(
    _ stream: ReceiveStream, _ cursor: inout ByteCursor, sequence: UInt16, timestamp: UInt32, isRepair: Bool,
    now: Instant
) {
    let shape = cursor.byte()
    var payload: [UInt8]
    switch shape & 3 {
    case 0: payload = [0x10, 0x00, 1, 2, 3]  // a key frame begins
    case 1: payload = [0x10, 0x01, 4, 5, 6]  // another frame begins
    case 2: payload = [0x00, 7, 8]
    default:
        payload =
            shape & 64 == 0
            ? Array(cursor.chunk()) : [0x90, 0x80, 0x80 | cursor.byte() & 1, cursor.byte(), shape >> 7, 1, 2]
    }
    if shape & 4 != 0 { payload = [] }
    withUnsafeTemporaryAllocation(byteCount: 64 + 0x2000, alignment: 8) { buffer in
        let header = RTPHeader.write(
            into: buffer, marker: shape & 8 != 0, payloadType: 96, sequenceNumber: sequence, timestamp: timestamp,
            ssrc: 5)
        guard let header else { return }
        UnsafeMutableRawBufferPointer(rebasing: buffer[header...]).copyBytes(from: payload)
        let packet = UnsafeRawBufferPointer(rebasing: buffer[..<(header + payload.count)])
        guard let parsed = try? RTPHeader(parsing: packet.bytes) else { return require(false, "our own packet") }
        let extensions = RTPExtensions(
            absCaptureTime: shape & 16 == 0 ? nil : AbsCaptureTime(captureTime: NTPTime(bits: cursor.quad())),
            frameReferences: shape & 32 == 0 ? nil : references(&cursor))
        if stream.kind == .video {
            try? stream.receiveVideo(packet, header: parsed, extensions: extensions, isRepair: isRepair, now: now)
        } else {
            // With the upper bit of its shape the payload is redundant (RFC 2198).
            let blocks: UInt8? = shape & 32 == 0 ? nil : 111
            var count = 0
            try? stream.receiveAudio(
                packet, header: parsed, extensions: extensions, isRepair: isRepair, redundancyOf: blocks, now: now
            ) { sound in
                count += 1
                require(
                    blocks == nil ? sound.payload.count == payload.count : sound.payload.count < payload.count,
                    "a payload is handed on whole, a block without the rest")
                require(sound.payload.count > 0 && sound.redundancyDistance >= 0, "and is one")
            }
            require(count <= RED.maximumBlocks, "one packet brings a bounded number: \(count)")
        }
    }
}

/// What a frame says it leans on: anything.
private func references(_ cursor: inout ByteCursor) -> FrameReferences {
    var references = FrameReferences()
    for _ in 0..<(cursor.byte() & 3) { references.add(distance: Int(cursor.byte())) }
    return references
}

private func feedback(_ stream: ReceiveStream, _ cursor: inout ByteCursor, now: Instant) {
    var due: [UInt16] = []
    let roundTrip = cursor.step()
    stream.collectMissing(now: now, roundTrip: roundTrip, into: &due)
    require(due.count <= NackTracker.limit, "requests are bounded: \(due.count)")
    _ = stream.wantsKeyFrame(now: now, roundTrip: roundTrip)
    _ = stream.takeAcknowledgement(now: now)
    require(stream.nextDeadline(roundTrip: roundTrip) > now, "what was due is done")
    if cursor.flag() {
        stream.receive(senderReport: NTPTime(bits: cursor.quad()), timestamp: cursor.long(), now: now)
    }
    _ = stream.takeFractionLost()
    _ = stream.reception.packetsLost
    _ = stream.reception.jitter
}
