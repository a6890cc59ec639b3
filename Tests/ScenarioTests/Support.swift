import PetrelCore
import PetrelLab
import PetrelPeer
import PetrelScenario
import Testing

extension VirtualCallConfiguration {
    /// A call of small pictures: where the question is not the picture, 360p answers it four times as fast.
    static func small(_ link: String, seconds: Double, seed: UInt64 = 1) throws -> VirtualCallConfiguration {
        var configuration = try VirtualCallConfiguration(link: link)
        configuration.duration = .seconds(seconds)
        configuration.seed = seed
        configuration.video = .testCard(width: 640, height: 360, framesPerSecond: 30)
        return configuration
    }

    /// A call whose pictures are made-up bytes: 1.2 Mbit/s.
    static func synthetic(_ link: String, seconds: Double, seed: UInt64 = 1) throws -> VirtualCallConfiguration {
        var configuration = try VirtualCallConfiguration(link: link)
        configuration.duration = .seconds(seconds)
        configuration.seed = seed
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 5000, bytesPerKeyFrame: 20_000)
        return configuration
    }
}

extension VirtualCallResult {
    var directions: [(name: String, Direction)] {
        [("caller->callee", callerToCallee), ("callee->caller", calleeToCaller)]
    }
}

extension VirtualCallResult.Direction {
    func videoLatency(_ quantile: Double, from start: TimeDelta = .zero) -> Double {
        let late = pictures.filter { $0.rendered >= .zero + start }.map { ($0.rendered - $0.captured).milliseconds }
        return Quantile.of(late, quantile) ?? .infinity
    }

    func audioLatency(_ quantile: Double, from start: TimeDelta = .zero) -> Double {
        let late = sounds.filter { $0.played >= .zero + start }
            .compactMap { sound in sound.captured.map { (sound.played - $0).milliseconds } }
        return Quantile.of(late, quantile) ?? .infinity
    }

    /// The 95 % quantile of the size of the skew, in milliseconds.
    var skewP95: Double { Quantile.of(skews.map(abs), 0.95) ?? .infinity }

    /// Pictures a second from the first to the last.
    var framesPerSecond: Double {
        guard let first = pictures.first, let last = pictures.last, pictures.count > 1 else { return 0 }
        return Double(pictures.count - 1) / (last.rendered - first.rendered).seconds
    }

    func pictures(from start: Double, to end: Double) -> [VirtualCallResult.Picture] {
        pictures.filter { $0.rendered >= .zero + .seconds(start) && $0.rendered < .zero + .seconds(end) }
    }

    /// The longest time without a new picture between two times of the call, in milliseconds.
    func longestGap(from start: Double, to end: Double) -> Double {
        let times = [start * 1000] + pictures(from: start, to: end).map(\.rendered.milliseconds) + [end * 1000]
        return zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? .infinity
    }

    var concealedBlocks: Int { sounds.count { $0.kind == .concealed } }
}

/// Counts what one side sends that is neither STUN nor DTLS, and when.
final class MediaLog {
    private(set) var sent: [(at: Instant, source: TransportAddress, bytes: Int)] = []

    init(_ network: VirtualNetwork, from source: TransportAddress) {
        network.tap = { [weak self] record, bytes in
            guard case .sent = record.event, record.source.high == source.high, record.source.low == source.low,
                let first = bytes.first, (128...191).contains(first)
            else { return }
            self?.sent.append((record.time, record.source, bytes.count))
        }
    }

    func count(from start: Double, to end: Double) -> Int {
        sent.count { $0.at >= .zero + .seconds(start) && $0.at < .zero + .seconds(end) }
    }
}
