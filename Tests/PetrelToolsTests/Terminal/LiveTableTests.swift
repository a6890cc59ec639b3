import Testing

@testable import PetrelTools

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

@Suite struct RedrawTests {
    /// A terminal that knows the few words that a redraw uses.
    struct Terminal {
        var rows: [String] = [""]
        var row = 0

        mutating func write(_ text: String) {
            var rest = Substring(text)
            while let character = rest.first {
                if character == "\u{1B}" {
                    rest = rest.dropFirst(2)
                    let number = Int(rest.prefix { $0.isNumber }) ?? 1
                    rest = rest.drop { $0.isNumber }
                    switch rest.first {
                    case "A": row = max(0, row - number)
                    case "K": rows[row] = ""
                    case "J": rows = Array(rows[...row].dropLast()) + [""]
                    default: Issue.record("unknown word of the terminal")
                    }
                } else if character == "\n" {
                    row += 1
                    if row == rows.count { rows.append("") }
                } else if character != "\r" {
                    rows[row].append(character)
                }
                rest = rest.dropFirst()
            }
        }
    }

    @Test func tableStaysInItsPlace() {
        var terminal = Terminal()
        terminal.write("before\n")
        terminal.write(LiveTable.redraw(["one", "two long", "three"], over: 0, columns: 80))
        terminal.write(LiveTable.redraw(["1", "2", "3"], over: 3, columns: 80))
        #expect(terminal.rows == ["before", "1", "2", "3", ""])
        terminal.write(LiveTable.redraw(["a line that is longer than the terminal"], over: 3, columns: 6))
        #expect(terminal.rows == ["before", "a line", ""])
    }
}
