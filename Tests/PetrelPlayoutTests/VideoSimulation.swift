import PetrelCore

@testable import PetrelPlayout

/// A camera, an encoder, a network and a screen in virtual time.
struct VideoSimulation {
    /// What the rule decides for a frame: the network's delay in milliseconds on top of pacing, or nil where the
    /// frame never completes.
    typealias Network = (_ index: Int, _ seconds: Double, _ random: inout SeededGenerator) -> Double?

    struct Rendered {
        var id: Int64
        var at: Double
        /// From capture to render, in milliseconds.
        var latency: Double
    }

    struct Result {
        var rendered: [Rendered] = []
        var statistics = VideoReceiver.Statistics()
        var freezes = FreezeDetector()
        var mostFrames = 0

        func latency(_ quantile: Double, from: Double = 0, to: Double = .infinity) -> Double {
            let values = rendered.filter { $0.at >= from && $0.at < to }.map(\.latency).sorted()
            return values.isEmpty ? .nan : values[min(values.count - 1, Int(Double(values.count) * quantile))]
        }
    }

    var seconds = 60.0
    var fps = 30.0
    var seed: UInt64 = 1
    /// The sender's clock against ours, in parts per million.
    var drift = 0.0
    var encodeMilliseconds = 8.0
    var decodeMilliseconds: (Int) -> Double = { _ in 3 }
    /// Delta frames in bytes, key frames ten times that; pacing takes 12 ms for 12,000 bytes.
    var keyFrameEvery = 300
    var network: Network = { _, _, random in 20 + random.unit() }
    var onFrame: ((inout VideoReceiver, Double) -> Void)?

    func run() -> Result {
        var random = SeededGenerator(seed: seed)
        var receiver = VideoReceiver()
        struct Arrival {
            var at: Double
            var capture: Double
            var frame: VideoReceiver.Frame
        }
        var arrivals: [Arrival] = []
        let period = 1 / fps / (1 + drift * 1e-6)
        var previous = 0.0
        for index in 0..<Int(seconds / period) {
            let capture = 1 + Double(index) * period
            let isKey = index % keyFrameEvery == 0
            let size = Int((isKey ? 60_000.0 : 4000 + 4000 * random.unit()))
            guard let delay = network(index, capture - 1, &random) else { continue }
            // Frames complete in order.
            let pacing = min(Double(size) / 1000, isKey ? 60 : 12)
            previous = max(previous, capture + (encodeMilliseconds + pacing + delay) / 1000)
            arrivals.append(
                Arrival(
                    at: previous, capture: capture,
                    frame: .init(
                        id: Int64(index), timestamp: 5_000_000 + Int64((Double(index) * 90_000 / fps).rounded()),
                        captureTime: Instant(nanoseconds: Int64(capture * 1e9)), size: size, isKeyFrame: isKey)))
        }
        var result = Result()
        var now = 0.0
        var decoding: (id: Int64, end: Double, took: Double, shows: Bool)?
        var next = 0
        while true {
            // Whatever comes first: an arrival, the end of decoding, the receiver's deadline.
            var time = next < arrivals.count ? arrivals[next].at : .infinity
            if let decoding { time = min(time, decoding.end) }
            if let deadline = receiver.nextDeadline {
                time = min(time, max(now, Double(deadline.nanoseconds) / 1e9 + 1e-9))
            }
            if time == .infinity { break }
            now = time
            let instant = Instant(nanoseconds: Int64((now * 1e9).rounded(.up)))
            while next < arrivals.count, arrivals[next].at <= now {
                _ = receiver.insert(arrivals[next].frame, arrival: instant)
                onFrame?(&receiver, now - 1)
                next += 1
            }
            if let done = decoding, done.end <= now {
                receiver.decoded(done.id, took: .seconds(done.took), hasPicture: done.shows)
                decoding = nil
            }
            if decoding == nil, let order = receiver.nextDecode(at: instant) {
                let took = decodeMilliseconds(Int(order.id)) / 1000
                decoding = (order.id, now + took, took, !order.isReferenceOnly)
            }
            while let order = receiver.nextRender(at: instant) {
                let capture = (order.captureTime ?? .zero).milliseconds
                result.rendered.append(Rendered(id: order.id, at: now - 1, latency: now * 1000 - capture))
            }
            result.mostFrames = max(result.mostFrames, receiver.frameCount)
        }
        result.statistics = receiver.statistics
        result.freezes = receiver.freezes
        return result
    }
}
