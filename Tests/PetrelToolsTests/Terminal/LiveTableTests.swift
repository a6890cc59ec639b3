import PetrelTools
import Testing

@Suite struct LiveTableTests {
    static var snapshot: CallSnapshot {
        var forward = CallSnapshot.Direction(name: "caller->callee")
        (forward.width, forward.height, forward.fps, forward.bitrateKbps) = (1280, 720, 29.97, 2312.4)
        (forward.latencyMs, forward.lossPercent, forward.repaired, forward.freezes) = (64.2, 4.96, 118, 0)
        (forward.concealedPercent, forward.skewMs) = (0.04, -3.6)
        return CallSnapshot(
            elapsedSeconds: 12.4, totalSeconds: 20, state: "running",
            directions: [forward, CallSnapshot.Direction(name: "callee->caller")])
    }

    @Test func tableHasARowPerDirection() {
        let lines = LiveTable.lines(Self.snapshot)
        #expect(
            lines == [
                "running  12 of 20 s",
                "                     size    fps  bitrate  latency   loss  repaired  freezes  concealed    skew",
                "                                   kbit/s       ms      %   packets                   %      ms",
                "caller->callee   1280x720   30.0     2312       64    5.0       118        0        0.0      -4",
                "callee->caller          -      -        -        -      -         -        -          -       -",
            ])
        #expect(lines.allSatisfy { $0.count <= 100 })
    }

    @Test func plainLineNamesItsValues() {
        let lines = LiveTable.plainLines(Self.snapshot)
        #expect(
            lines[0]
                == "running  12 of 20 s  caller->callee: size 1280x720, fps 30.0, bitrate 2312 kbit/s, latency 64 ms, "
                + "loss 5.0 %, repaired 118 packets, freezes 0, concealed 0.0 %, skew -4 ms")
        #expect(LiveTable.plainLines(CallSnapshot(state: "connecting")) == ["connecting"])
    }
}
