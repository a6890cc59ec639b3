/// The live table of a call as lines of text: the same snapshot always gives the same lines.
public enum LiveTable {
    private struct Column: Sendable {
        var title: String
        var unit: String
        var width: Int
        var value: @Sendable (CallSnapshot.Direction) -> String?
    }

    private static let columns: [Column] = [
        Column(title: "size", unit: "", width: 9) { direction in
            guard let width = direction.width, let height = direction.height else { return nil }
            return "\(width)x\(height)"
        },
        Column(title: "fps", unit: "", width: 5) { $0.fps.map { fixed($0, digits: 1) } },
        Column(title: "bitrate", unit: "kbit/s", width: 7) { $0.bitrateKbps.map { fixed($0, digits: 0) } },
        Column(title: "latency", unit: "ms", width: 7) { $0.latencyMs.map { fixed($0, digits: 0) } },
        Column(title: "loss", unit: "%", width: 5) { $0.lossPercent.map { fixed($0, digits: 1) } },
        Column(title: "repaired", unit: "packets", width: 8) { $0.repaired.map { String($0) } },
        Column(title: "freezes", unit: "", width: 7) { $0.freezes.map { String($0) } },
        Column(title: "concealed", unit: "%", width: 9) { $0.concealedPercent.map { fixed($0, digits: 1) } },
        Column(title: "skew", unit: "ms", width: 6) { direction in
            direction.skewMs.map { ($0 >= 0.5 ? "+" : "") + fixed($0, digits: 0) }
        },
    ]

    /// The table: a line of state, two of headings, one per direction.
    public static func lines(_ snapshot: CallSnapshot) -> [String] {
        let nameWidth = max(14, snapshot.directions.map(\.name.count).max() ?? 0)
        var lines = [stateLine(snapshot)]
        lines.append(
            (pad("", nameWidth) + columns.map { "  " + padLeft($0.title, $0.width) }.joined()).trimmedRight)
        lines.append((pad("", nameWidth) + columns.map { "  " + padLeft($0.unit, $0.width) }.joined()).trimmedRight)
        for direction in snapshot.directions {
            lines.append(
                pad(direction.name, nameWidth)
                    + columns.map { "  " + padLeft($0.value(direction) ?? "-", $0.width) }.joined())
        }
        return lines
    }

    /// Everything on one line per direction, for output that is no terminal.
    public static func plainLines(_ snapshot: CallSnapshot) -> [String] {
        guard !snapshot.directions.isEmpty else { return [stateLine(snapshot)] }
        return snapshot.directions.map { direction in
            let values = columns.compactMap { column -> String? in
                guard let value = column.value(direction) else { return nil }
                return "\(column.title) \(value)" + (column.unit.isEmpty ? "" : " \(column.unit)")
            }
            return "\(stateLine(snapshot))  \(direction.name): " + values.joined(separator: ", ")
        }
    }

    private static func stateLine(_ snapshot: CallSnapshot) -> String {
        guard let elapsed = snapshot.elapsedSeconds else { return snapshot.state }
        let total = snapshot.totalSeconds.map { " of \(fixed($0, digits: 0)) s" } ?? " s"
        return "\(snapshot.state)  \(fixed(elapsed, digits: 0))\(total)"
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func padLeft(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

extension String {
    fileprivate var trimmedRight: String {
        var text = self
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }
}
