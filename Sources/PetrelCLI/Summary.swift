internal import PetrelTools

/// The end of a call in a few lines for a person.
enum Summary {
    static func text(_ report: CallReport, folder: String) -> String {
        var lines: [String] = []
        lines.append(
            "connected after \(number(report.connect.dtlsMs, "ms")), first sound after \(number(report.connect.firstAudioMs, "ms")), first picture after \(number(report.connect.firstFrameMs, "ms"))"
        )
        let rows: [[String]] =
            [
                [
                    "", "picture", "fps", "video", "latency", "audio lat.", "lost", "freezes", "concealed", "skew",
                    "PSNR-Y", "expansion",
                ]
            ] + report.directions.map { row($0) }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            lines.append(
                zip(row, widths).map { text, width in text + String(repeating: " ", count: width - text.count) }
                    .joined(separator: "  "))
        }
        for process in report.process {
            lines.append(
                "\(process.name): \(number(process.cpuPercent, "%")) of a core (media readers \(number(process.childrenCpuPercent, "%"))), \(number(process.maxRssMB, "MB"))"
            )
        }
        lines.append("relay saw \(number(report.relay.seenPercent, "%", digits: 2)) of the datagrams")
        lines.append("report: \(folder)/report.png, report.json; what each side saw: */seen.webm")
        return lines.joined(separator: "\n")
    }

    private static func row(_ direction: CallReport.Direction) -> [String] {
        let video = direction.video
        let size = video.width.flatMap { width in video.height.map { "\(width)x\($0)" } } ?? "-"
        return [
            direction.name, size, number(video.fps, ""), number(video.bitrateKbps, "kbit/s", digits: 0),
            "\(number(video.latency.p50, "")) / \(number(video.latency.p95, "ms"))",
            "\(number(direction.audio.latency.p50, "")) / \(number(direction.audio.latency.p95, "ms"))",
            number(direction.network.packetsLostPercent, "%"), video.freezes.map { "\($0)" } ?? "-",
            number(direction.audio.concealedPercent, "%", digits: 2), number(direction.avSkew.p95Abs, "ms"),
            number(video.psnrY, "dB"), number(direction.network.expansion, "", digits: 2),
        ]
    }

    private static func number(_ value: Double?, _ unit: String, digits: Int = 1) -> String {
        guard let value else { return "-" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (value * scale).rounded() / scale
        let text = digits == 0 ? "\(Int(rounded))" : "\(rounded)"
        return unit.isEmpty ? text : unit == "%" ? text + " %" : text + " " + unit
    }
}
