import PetrelCodecs
import PetrelCore

@testable import PetrelPlayout

/// A sender, a network and a listener in virtual time: packets are sent at a steady pace, delayed or lost by a rule,
/// and pulled every 10 ms.
struct AudioSimulation {
    /// What the rule decides for a packet: the delay in milliseconds, or nil where it is lost. It is asked with the
    /// packet's number and the time it is sent, in seconds.
    typealias Network = (_ index: Int, _ seconds: Double, _ random: inout SeededGenerator) -> Double?

    struct Sample {
        var seconds: Double
        /// From capture to render in milliseconds, where known.
        var latency: Double?
        var pull: AudioPull
    }

    struct Result {
        var pulls: [Sample] = []
        var output: [Int16] = []
        var statistics = AudioReceiverStatistics()

        func latency(_ quantile: Double, from: Double = 0, to: Double = .infinity) -> Double {
            let values = pulls.filter { $0.seconds >= from && $0.seconds < to }.compactMap(\.latency).sorted()
            return values.isEmpty ? .nan : values[min(values.count - 1, Int(Double(values.count) * quantile))]
        }

        func count(_ kind: AudioPull.Kind, from: Double = 0, to: Double = .infinity) -> Int {
            pulls.count { $0.seconds >= from && $0.seconds < to && $0.pull.kind == kind }
        }
    }

    var seconds = 60.0
    /// Samples per packet.
    var frame = 960
    var seed: UInt64 = 1
    /// How much faster the sender's sound clock is than ours, in parts per million.
    var drift = 0.0
    /// Where the pulls lie against the packets, in milliseconds.
    var phase = 3.3
    /// How irregular the pulls are, in milliseconds, evenly distributed.
    var pullJitter = 0.0
    var keepsOutput = false
    var dtx = false
    /// The first timestamp.
    var firstTimestamp: Int64 = 1_000_000
    var network: Network = { _, _, _ in 20 }
    /// Called before each pull.
    var onPull: ((AudioReceiver, Instant) -> Void)?

    /// - Parameter packets: what is sent, repeated as often as needed; nil entries are not sent (pauses).
    func run(_ receiver: AudioReceiver, packets: [FrameBuffer?]) -> Result {
        var random = SeededGenerator(seed: seed)
        struct Arrival {
            var at: Double
            var index: Int
            var sequence: Int64
        }
        let frameSeconds = Double(frame) / 48_000 / (1 + drift * 1e-6)
        var arrivals: [Arrival] = []
        var sequence: Int64 = 70
        let start = 1.0
        for index in 0..<Int(seconds / frameSeconds) {
            guard packets[index % packets.count] != nil else { continue }
            let sent = start + Double(index + 1) * frameSeconds
            if let delay = network(index, sent - start, &random) {
                arrivals.append(Arrival(at: sent + delay / 1000, index: index, sequence: sequence))
            }
            sequence += 1
        }
        arrivals.sort { ($0.at, $0.index) < ($1.at, $1.index) }

        var result = Result()
        let channels = receiver.configuration.channels
        let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 480 * channels)
        defer { block.deallocate() }
        var next = 0
        var tick = 0
        while true {
            let grid = start + phase / 1000 + Double(tick) * 0.01
            if grid > start + seconds { break }
            let time = grid + pullJitter / 1000 * (random.unit() - 0.5)
            while next < arrivals.count, arrivals[next].at <= time {
                let arrival = arrivals[next]
                next += 1
                guard let payload = packets[arrival.index % packets.count] else { continue }
                let capture = start + Double(arrival.index) * frameSeconds
                receiver.insert(
                    timestamp: firstTimestamp + Int64(arrival.index * frame), sequence: arrival.sequence,
                    payload: payload, arrival: Instant(nanoseconds: Int64(arrival.at * 1e9)),
                    captureTime: Instant(nanoseconds: Int64(capture * 1e9)))
            }
            let now = Instant(nanoseconds: Int64(time * 1e9))
            onPull?(receiver, now)
            let pull = receiver.pull(at: now, into: block)
            result.pulls.append(
                Sample(
                    seconds: time - start, latency: pull.captureTime.map { (now - $0).milliseconds }, pull: pull))
            if keepsOutput { result.output.append(contentsOf: block) }
            tick += 1
        }
        result.statistics = receiver.statistics
        return result
    }
}

/// A codec for tests of timing: a packet's first two bytes are its number, decoding gives a constant level, and
/// nothing costs time.
final class CountingDecoder: AudioFrameDecoder {
    var frame = 960
    var channels = 1
    var hasFEC = false
    var decoded: [Int] = []

    func duration(of packet: UnsafeRawBufferPointer) -> Int? { packet.count == 3 ? nil : frame }
    func carriesFEC(_ packet: UnsafeRawBufferPointer) -> Bool { hasFEC }

    func decodePacket(_ packet: UnsafeRawBufferPointer, into output: UnsafeMutableBufferPointer<Int16>) -> Int? {
        guard packet.count >= 4 else { return packet.count <= 2 ? fill(output, 0) : nil }
        decoded.append(Int(packet[0]) << 8 | Int(packet[1]))
        return fill(output, 1000)
    }

    func decodeLost(
        before packet: UnsafeRawBufferPointer, samples: Int, into output: UnsafeMutableBufferPointer<Int16>
    ) -> Bool {
        output[..<(samples * channels)].update(repeating: 1000)
        return hasFEC
    }

    func concealLoss(samples: Int, into output: UnsafeMutableBufferPointer<Int16>) {
        output[..<(samples * channels)].update(repeating: 500)
    }

    private func fill(_ output: UnsafeMutableBufferPointer<Int16>, _ value: Int16) -> Int {
        output[..<(frame * channels)].update(repeating: value)
        return frame
    }

    static func packets(_ count: Int = 1000) -> [FrameBuffer?] {
        (0..<count).map { FrameBuffer([UInt8($0 >> 8), UInt8($0 & 255), 1, 2]) }
    }
}

/// Encodes test signals with real Opus.
enum OpusSource {
    static func packets(
        seconds: Int, frame: Int = 960, channels: Int = 1,
        configuration: OpusEncoder.Configuration = .init(complexity: 3, inbandFEC: false),
        signal: (Int64) -> Int16
    ) throws -> [FrameBuffer?] {
        let encoder = try OpusEncoder(channels: channels, configuration: configuration)
        var pcm = [Int16](repeating: 0, count: frame * channels)
        return try (0..<(seconds * 48_000 / frame)).map { index in
            for sample in 0..<frame {
                let value = signal(Int64(index * frame + sample))
                for channel in 0..<channels { pcm[sample * channels + channel] = value }
            }
            let buffer = FrameBuffer(capacity: 256)
            let result = try pcm.withUnsafeBufferPointer { try encoder.encode($0, into: buffer) }
            return result.isDTX ? nil : buffer
        }
    }
}
