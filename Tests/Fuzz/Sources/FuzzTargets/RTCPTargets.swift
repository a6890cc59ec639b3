import PetrelCore
import PetrelMedia
import PetrelWire

/// RTCP: what was read and can be said by us is written, and reads the same again.
func fuzzRTCPCompound(_ input: UnsafeRawBufferPointer) {
    guard let packets = try? RTCPCompound.parse(input.bytes) else { return }
    require(packets.count <= RTCPCompound.maximumPackets, "a compound is bounded")
    var writer = RTCPWriter(maximumLength: 65_535)
    let said = packets.filter { $0.isExact && writer.append($0) }
    for packet in packets { visit(packet) }
    guard !writer.isEmpty else { return require(said.isEmpty, "what was said has bytes") }
    require(writer.bytes.count % 4 == 0, "RTCP comes in words")
    let again = writer.bytes.withUnsafeBytes { try? RTCPCompound.parse($0.bytes) }
    require(again == said, "parse, write, parse")
}

extension RTCPPacket {
    /// Whether its values have room on the wire: a rate beyond 63 bits is cut, and then needs more than the 18 bits of
    /// REMB's mantissa.
    fileprivate var isExact: Bool {
        if case .receiverEstimate(let estimate) = self { return estimate.rate.bitsPerSecond != .max }
        return true
    }
}

private func visit(_ packet: RTCPPacket) {
    switch packet {
    case .transportFeedback(let feedback):
        var count = 0
        feedback.forEachPacket { _ in count += 1 }
        require(count == feedback.statuses.count, "every status is told once")
        require(count <= TransportFeedback.maximumStatuses, "statuses are bounded")
    case .receiverReport(let report):
        for block in report.reports { _ = block.roundTripTime(at: NTPTime(bits: UInt64(block.jitter) << 20)) }
    case .senderReport(let report):
        for block in report.reports { _ = block.roundTripTime(at: report.ntpTime) }
    default: break
    }
}

/// Transport-wide feedback: the body of a packet from the input (even first octet), or arrivals that we report (odd).
func fuzzTWCC(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    if cursor.byte() & 1 == 0 {
        let body = cursor.rest()
        let words = (body.count + 3) / 4
        var packet: [UInt8] = [0x8F, 205, UInt8(words >> 8 & 0xFF), UInt8(words & 0xFF)]
        packet += body
        while packet.count < 4 + words * 4 { packet.append(0) }
        return packet.withUnsafeBytes { fuzzRTCPCompound($0) }
    }
    reportArrivals(&cursor)
}

private func reportArrivals(_ cursor: inout ByteCursor) {
    var recorder = ArrivalRecorder()
    var builder = TransportFeedbackBuilder(senderSSRC: 1, mediaSSRC: 2, feedbackPacketCount: 3)
    var added: [(number: UInt16, arrival: Instant?)] = []
    var number = cursor.word()
    var now = Instant.zero + .milliseconds(Int(cursor.word()))
    while !cursor.isEmpty {
        let code = cursor.byte()
        // Mostly the next number; sometimes a jump, forwards or back.
        number = code & 0xC0 == 0xC0 ? number &+ cursor.word() : number &+ UInt16(code & 3)
        now += code & 4 == 0 ? .microseconds(Int(cursor.byte()) * 250) : cursor.step()
        recorder.record(number, now: now)
        let arrival = code & 8 == 0 ? now : nil
        if builder.add(number, arrival: arrival) { added.append((number, arrival)) }
        if code & 16 != 0 { take(&recorder, now: now) }
    }
    take(&recorder, now: now + .seconds(1))
    guard let feedback = builder.feedback else { return }
    var told: [TransportFeedback.Packet] = []
    check(feedback)
    feedback.forEachPacket { told.append($0) }
    require(told.count == builder.count, "what was added is told")
    let start = added.first?.number ?? 0
    let reference = added.lazy.compactMap(\.arrival).first ?? .zero
    var first: TimeDelta?
    for (number, arrival) in added {
        let packet = told[Int(number &- start)]
        require(packet.sequenceNumber == number && (packet.arrival == nil) == (arrival == nil), "packet \(number)")
        guard let arrival, let measured = packet.arrival else { continue }
        first = first ?? measured
        let error = (measured - (first ?? measured)) - (arrival - reference)
        require(error.magnitude <= .microseconds(250), "arrivals keep their distances: \(error)")
    }
}

private func take(_ recorder: inout ArrivalRecorder, now: Instant) {
    var reports = 0
    while let feedback = recorder.report(senderSSRC: 1, mediaSSRC: 2, now: now) {
        check(feedback)
        reports += 1
        require(reports <= 2 * 2048, "reports come to an end")
    }
    require(recorder.nextDeadline > now, "after the last report nothing is due")
}

private func check(_ feedback: TransportFeedback) {
    var writer = RTCPWriter()
    require(writer.append(.transportFeedback(feedback)), "feedback of ours fits")
    let again = writer.bytes.withUnsafeBytes { try? RTCPCompound.parse($0.bytes) }
    require(again == [.transportFeedback(feedback)], "write, parse")
}
