import PetrelCongestion
import PetrelCore
import PetrelMedia
import PetrelWire

/// The repair code, its coder against its decoder: any packets lost, in any order, and lies among them. What comes back
/// without lies is what was sent, bit by bit; enough repair brings back all.
func fuzzRepairDecoder(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let bed = RepairBed(start: .init(sequence: cursor.word(), timestamp: cursor.long()))
    var lies = false
    while !cursor.isEmpty {
        let code = cursor.byte()
        switch code & 7 {
        case 0, 1: bed.send(length: Int(cursor.word() % 4000), isKeyFrame: code & 8 != 0, lost: cursor.byte())
        case 2, 3: bed.repair(lost: code & 8 != 0)
        case 4: bed.report()
        case 5:
            lies = true
            bed.lie(number: cursor.word(), Array(cursor.chunk()))
        case 6: bed.feedback(Array(cursor.chunk()))
        default: bed.now += cursor.step()
        }
        let wrong = bed.take()
        require(lies || wrong == 0, "nothing is brought back that was not sent")
        require(bed.decoder.deficit <= RepairState.maximumSpan, "the deficit is bounded")
    }
    guard !lies, bed.hasSent else { return }
    bed.report()
    for _ in 0..<(RepairCode.maximumWindow + 8) { bed.repair(lost: false) }
    require(bed.take() == 0, "nothing is brought back that was not sent")
    require(bed.unrepaired == 0, "enough repair brings back all that it covers")
}

/// A sender, a decoder, and what was sent.
final class RepairBed {
    let stream: SendStream
    let decoder = RepairDecoder()
    var now = Instant.zero + .seconds(1)
    private var controller = RepairController()
    private var payloads: [UInt16: [UInt8]] = [:]
    private var missing: Set<Int64> = []
    private var last: Int64?
    private let memory = SlotMemory(count: 1, slotSize: EgressBatch.maximumDatagram)

    init(start: SendStream.Start) {
        var random = RandomSource(seed: 3)
        stream = SendStream(kind: .video, ssrc: 1, rtxSSRC: nil, repairSSRC: 2, random: &random, start: start)
        stream.configure(SendParameters(payloadType: 96, repairPayloadType: 120))
        controller.update(link: LinkState(meanLoss: 0.3, samples: 1000), prior: 0)
    }

    var hasSent: Bool { last != nil }

    /// What the last window covers and has not come back.
    var unrepaired: Int {
        guard let last else { return 0 }
        let end = min(last, stream.repairBase + Int64(RepairCode.maximumWindow) - 1)
        return missing.count { $0 >= stream.repairBase && $0 <= end }
    }

    func send(length: Int, isKeyFrame: Bool, lost: UInt8) {
        let frame = (0..<max(1, length)).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ length) }
        let range = frame.withUnsafeBytes {
            stream.packetize(vp8: $0, captured: now, captureTime: NTPTime(bits: 1 << 40))
        }
        guard let range else { return }
        last = range.upperBound
        _ = stream.planRepair(range, isKeyFrame: isKeyFrame, by: controller, now: now)
        for sequence in range {
            let slot = memory.slot(0)
            guard let length = stream.release(sequence, into: slot, now: now, number: { _ in 0 }) else { continue }
            let packet = UnsafeRawBufferPointer(rebasing: slot[..<length])
            guard let header = try? RTPHeader(parsing: packet.bytes) else { return require(false, "our own packet") }
            let payload = UnsafeRawBufferPointer(rebasing: packet[header.payloadRange])
            payloads[header.sequenceNumber] = Array(payload)
            if lost >> UInt8(sequence & 7) & 1 == 1 {
                missing.insert(sequence)
                continue
            }
            decoder.receive(
                sequenceNumber: header.sequenceNumber, marker: header.marker, payloadType: header.payloadType,
                timestamp: header.timestamp, payload: payload)
        }
    }

    func repair(lost: Bool) {
        guard let last else { return }
        let slot = memory.slot(0)
        guard let length = stream.releaseRepair(through: last, into: slot, now: now, number: { _ in 0 }) else { return }
        let packet = UnsafeRawBufferPointer(rebasing: slot[..<length])
        guard let header = try? RTPHeader(parsing: packet.bytes) else { return require(false, "our own packet") }
        guard !lost else { return }
        try? decoder.receive(
            repair: header.sequenceNumber, payload: UnsafeRawBufferPointer(rebasing: packet[header.payloadRange]))
    }

    func lie(number: UInt16, _ bytes: [UInt8]) {
        let buffer = FrameBuffer(bytes)
        try? decoder.receive(repair: number, payload: buffer.bytes)
    }

    func report() {
        guard let state = decoder.state else { return }
        let report = RepairFeedback(mediaSSRC: 1, state: state)
        guard let read = try? RepairFeedback(report.application(from: 9)) else {
            return require(false, "our own report")
        }
        require(read == report, "a report is read as it was written")
        give(report)
    }

    func feedback(_ bytes: [UInt8]) {
        let application = RTCPApplication(
            subtype: RepairFeedback.subtype, ssrc: 9, name: RepairFeedback.name, data: bytes)
        guard let report = try? RepairFeedback(application) else { return }
        // What the other side claims decides what is repaired: only its own picture suffers.
        let base = stream.repairBase
        give(report)
        if stream.repairBase > base { missing = missing.filter { $0 >= stream.repairBase } }
    }

    private func give(_ report: RepairFeedback) {
        var sent = 0
        try? stream.receive(report, by: controller, now: now) { count, _ in sent += count }
        require(sent <= 1024, "what a report can make us send is bounded: \(sent)")
    }

    /// Takes out what has come back, and answers how much of it was never sent.
    func take() -> Int {
        let slot = memory.slot(0)
        var wrong = 0
        while let packet = decoder.nextRecovered(into: slot, at: 12) {
            let payload = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(slot)[packet.payload])
            if payloads[packet.sequenceNumber].map({ $0.elementsEqual(payload) }) != true { wrong += 1 }
            missing = missing.filter { UInt16(truncatingIfNeeded: $0) != packet.sequenceNumber }
        }
        return wrong
    }
}
