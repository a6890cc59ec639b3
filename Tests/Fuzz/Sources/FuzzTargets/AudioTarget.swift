import PetrelCodecs
import PetrelCore
import PetrelPlayout

/// The jitter buffer: packets of any time and content, pulls at any moment.
func fuzzAudioReceiver(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let flags = cursor.byte()
    let configuration = AudioReceiver.Configuration(
        channels: flags & 1 == 0 ? 1 : 2, startDelay: .milliseconds(Int(flags >> 4) * 10),
        maximumDelay: flags & 2 == 0 ? .seconds(1) : .milliseconds(60), maximumPackets: flags & 4 == 0 ? 256 : 8)
    let receiver: AudioReceiver = made { try AudioReceiver(configuration: configuration) }
    let output = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 480 * configuration.channels)
    defer { output.deallocate() }
    var now = Instant.zero + .seconds(100)
    var timestamp: Int64 = 1_000_000
    var sequence: Int64 = 1000
    var steps = 0
    while !cursor.isEmpty, steps < 600 {
        steps += 1
        let code = cursor.byte()
        switch code & 15 {
        case 0, 1, 2, 3, 4:
            now += .milliseconds(10)
            pull(receiver, now: now, output)
        case 5, 6, 7, 8:
            // The next packet of a stream in order.
            sequence += 1
            timestamp += 960
            insert(receiver, speech[steps % speech.count], timestamp, sequence, now)
        case 9:
            let back = Int64(cursor.byte())
            insert(receiver, speech[Int(back) % speech.count], timestamp - back * 960, sequence - back, now)
        case 10:
            sequence += Int64(cursor.byte())
            timestamp += Int64(Int16(bitPattern: cursor.word()))
            insert(receiver, Array(cursor.chunk()), timestamp, sequence, now)
        case 11:
            // Any time there is.
            let (time, number) = (Int64(bitPattern: cursor.quad()), Int64(bitPattern: cursor.quad()))
            insert(receiver, Array(cursor.chunk()), time, number, now)
        case 12:
            timestamp += Int64(Int32(bitPattern: cursor.long()))
            sequence += Int64(Int16(bitPattern: cursor.word()))
        case 13: now += cursor.step()
        case 14: receiver.setMinimumDelay(cursor.step())
        default:
            if cursor.flag() { receiver.reset() } else { pull(receiver, now: now, output) }
        }
    }
}

private func insert(
    _ receiver: AudioReceiver, _ payload: [UInt8], _ timestamp: Int64, _ sequence: Int64, _ now: Instant
) {
    receiver.insert(
        timestamp: timestamp, sequence: sequence, payload: FrameBuffer(payload), arrival: now,
        captureTime: sequence & 3 == 0 ? nil : now - .milliseconds(30))
    require(receiver.packetCount <= receiver.configuration.maximumPackets, "packets are bounded")
}

private func pull(_ receiver: AudioReceiver, now: Instant, _ output: UnsafeMutableBufferPointer<Int16>) {
    let before = receiver.statistics.totalSamplesReceived
    let pulled = receiver.pull(at: now, into: output)
    let gained = receiver.statistics.totalSamplesReceived - before
    require(gained == (pulled.kind == .none ? 0 : 480), "a pull gives 10 ms or has not begun: \(gained)")
    require(
        pulled.targetDelay <= receiver.configuration.maximumDelay && pulled.targetDelay >= .zero,
        "the delay aimed for is bounded: \(pulled.targetDelay)")
}

/// Twenty packets of 20 ms with FEC, of a tone that changes.
private let speech: [[UInt8]] = made {
    var settings = OpusEncoder.Configuration()
    settings.inbandFEC = true
    settings.expectedLossPercent = 20
    let encoder = try OpusEncoder(channels: 1, configuration: settings)
    let buffer = FrameBuffer()
    return try (0..<20).map { frame in
        let pcm = (0..<960).map { index in Int16(truncatingIfNeeded: (index * (40 + frame) % 400 - 200) * 60) }
        _ = try pcm.withUnsafeBufferPointer { try encoder.encode($0, into: buffer) }
        return Array(buffer.bytes)
    }
}
