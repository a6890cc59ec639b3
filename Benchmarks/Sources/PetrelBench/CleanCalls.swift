import BenchSupport
import PetrelCore
import PetrelScenario

/// Latency on links that lose nothing, in virtual time: frame handed in to frame handed out.
enum CleanCalls {
    static func run(seconds: Int) throws {
        for oneWay in [20, 50] {
            var configuration = try VirtualCallConfiguration(link: "delay=\(oneWay)")
            configuration.duration = .seconds(seconds)
            let result = try VirtualCall(configuration).run()
            let name =
                "RTT \(2 * oneWay) ms, \(seconds) s, 1280x720 at 30 a second, real codecs, seed \(configuration.seed)"
            print(name)
            for (direction, seen) in [
                ("caller to callee", result.callerToCallee), ("callee to caller", result.calleeToCaller),
            ] {
                let video = seen.videoLatencies
                let audio = seen.audioLatencies
                func line(_ what: String, _ value: TimeDelta?, over allowance: Double) {
                    print(
                        "  " + Text.left(direction, 18) + Text.left(what, 20)
                            + Text.right(Text.milliseconds(value), 7) + " ms  "
                            + Text.verdict(value, atMost: Double(oneWay) + allowance))
                }
                line("video latency P50", Quantile.of(video, 0.5), over: 28)
                line("video latency P95", Quantile.of(video, 0.95), over: 45)
                line("audio latency P50", Quantile.of(audio, 0.5), over: 48)
                let first = seen.firstPicture.map { $0 - Instant.zero }
                print(
                    "  " + Text.left(direction, 18) + Text.left("first picture", 20)
                        + Text.right(Text.milliseconds(first), 7) + " ms  "
                        + Text.verdict(first, atMost: 3.5 * 2 * Double(oneWay) + 90))
                print(
                    "  " + Text.left(direction, 18)
                        + "\(seen.pictures.count) of \(seen.picturesCaptured) pictures shown, "
                        + "\(seen.freezes) freezes, concealed \(Text.number(100 * seen.concealedShare, 2)) %, "
                        + "video \(seen.videoBytesSent * 8 / 1000 / seconds) kbit/s  "
                        + (seen.freezes == 0 ? "PASS" : "MISS") + " (0 freezes)")
            }
            print("  trace hash \(String(result.traceHash, radix: 16)) over \(result.datagrams) datagrams")
        }
    }
}
