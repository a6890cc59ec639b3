import BenchSupport
import PetrelCore
import PetrelScenario

/// A long call with real codecs in virtual time: what everything but the codecs takes.
enum LongCall {
    static func run(minutes: Int) throws {
        var configuration = try VirtualCallConfiguration(link: "delay=20,loss=5")
        configuration.duration = .seconds(60 * minutes)
        let call = try VirtualCall(configuration)
        let meter = VirtualCallMeter { CPUTime.thread }
        call.meter = meter
        let wall = CPUTime.wall
        let cpu = CPUTime.thread
        for second in stride(from: 5, through: 60 * minutes, by: 5) {
            call.run(until: .zero + .seconds(second))
            Progress.show(
                "\(second) of \(60 * minutes) s of the call in \((CPUTime.wall - wall) / 1_000_000_000) s")
        }
        Progress.clear()
        let total = Double(CPUTime.thread - cpu) / 1e9
        let elapsed = Double(CPUTime.wall - wall) / 1e9
        let result = call.result()
        print(
            "\(minutes) min of a call, 1280x720 at 30 a second both ways, real codecs, delay=20,loss=5, seed \(configuration.seed)"
        )
        print("  wall time \(Text.number(elapsed, 1)) s, CPU time \(Text.number(total, 1)) s")
        var codec = 0.0
        var media = 0.0
        for part in VirtualCallMeter.Part.allCases {
            let seconds = Double(meter.spent(part)) / 1e9
            if part.isCodec { codec += seconds } else { media += seconds }
            print("  " + Text.left(part.rawValue, 34) + Text.right(Text.number(seconds, 2), 9) + " s")
        }
        let rest = total - codec - media
        print("  " + Text.left("transport, playout, emulated link", 34) + Text.right(Text.number(rest, 2), 9) + " s")
        print(
            "  not codec: \(Text.number(100 * (rest + media) / total, 1)) % of the CPU time; "
                + "\(Text.number(100 * rest / (rest + codec), 1)) % without making and reading the test pictures and sounds"
        )
        for (direction, seen) in [
            ("caller to callee", result.callerToCallee), ("callee to caller", result.calleeToCaller),
        ] {
            print(
                "  \(direction): \(seen.pictures.count) of \(seen.picturesCaptured) pictures shown, \(seen.freezes) freezes, "
                    + "concealed \(Text.number(100 * seen.concealedShare, 2)) %")
        }
        print("  trace hash \(String(result.traceHash, radix: 16)) over \(result.datagrams) datagrams")
    }
}
