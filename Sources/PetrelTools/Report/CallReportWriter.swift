internal import Foundation
public import PetrelDevices

/// Fills the folder of a report: `report.json`, `timeline.json` and pairs of pictures; then has the picture drawn.
///
/// What the peers recorded (their logs, `seen.webm`, `seen.ivf`) lies in the folder already.
public struct CallReportWriter {
    public let folder: ReportFolder
    /// Pictures are compared at every Nth frame of the source.
    public static let everyNth = 10
    /// Pairs of pictures per direction in the report.
    public static let picturePairs = 2

    public init(folder: ReportFolder) { self.folder = folder }

    /// One direction, with what is needed to compare its pictures.
    public struct Way {
        public var analysis: DirectionAnalysis
        /// The IVF file of the receiver; nil where pictures are not to be compared.
        public var recording: String?
        /// The pictures sent, from the first one on; nil where they cannot be had again (a camera).
        public var source: (any PictureReader)?

        public init(analysis: DirectionAnalysis, recording: String? = nil, source: (any PictureReader)? = nil) {
            (self.analysis, self.recording, self.source) = (analysis, recording, source)
        }
    }

    /// Compares pictures, writes the files and answers the report with the picture scores in it. `ways` are in the
    /// order of the report's directions.
    public func write(_ report: CallReport, ways: [Way]) throws(ToolError) -> CallReport {
        var report = report
        _ = try folder.folder("pictures")
        let origin =
            ways.compactMap { way in
                [way.analysis.sender.videoSent.first?.captureMs, way.analysis.sender.audioSent.first?.captureMs]
                    .compactMap { $0 }.min()
            }.min() ?? 0
        var timelines: [JSONText] = []
        for (index, way) in ways.enumerated() {
            var timeline = Timeline(way.analysis, originMs: origin)
            if let recording = way.recording, let source = way.source, report.directions.indices.contains(index) {
                let scores = try compare(way.analysis, recording, source, &timeline, index: index, origin: origin)
                scores.fill(&report.directions[index].video)
            }
            timelines.append(timeline.json)
        }
        try folder.write(report.text + "\n", to: ReportFolder.mark)
        try folder.write(
            JSONText.object([("report", report.json), ("directions", .array(timelines))]).text(pretty: false) + "\n",
            to: "timeline.json")
        return report
    }

    private func compare(
        _ way: DirectionAnalysis, _ recording: String, _ source: any PictureReader, _ timeline: inout Timeline,
        index: Int, origin: Double
    ) throws(ToolError) -> PictureScores {
        let pairs = PictureScores.pairs(way, everyNth: Self.everyNth)
        // Pictures from inside the call: the first half second still has the quality of its start.
        let wanted = (0..<Self.picturePairs).compactMap { pair in
            pairs.isEmpty
                ? nil : pairs[min(pairs.count - 1, pairs.count * (2 * pair + 1) / (2 * Self.picturePairs))].sent
        }
        let captures = Dictionary(way.sender.videoSent.map { ($0.counter, $0.captureMs) }) { first, _ in first }
        var failure: ToolError?
        var pictures: [Timeline.Picture] = []
        let scores = try PictureScores(
            of: way, recording: recording, source: source, everyNth: Self.everyNth
        ) { comparison in
            guard wanted.contains(comparison.counter), failure == nil else { return }
            let stem = "pictures/\(index == 0 ? "ab" : "ba")-\(comparison.counter)"
            do throws(ToolError) {
                try PortablePixmap.write(comparison.sent, path: folder.file(stem + "-sent.ppm"))
                try PortablePixmap.write(comparison.seen, path: folder.file(stem + "-seen.ppm"))
            } catch { failure = error }
            pictures.append(
                Timeline.Picture(
                    counter: comparison.counter, seenCounter: comparison.seenCounter,
                    seconds: ((captures[comparison.counter] ?? origin) - origin) / 1000, psnrY: comparison.psnrY,
                    sentFile: stem + "-sent.ppm", seenFile: stem + "-seen.ppm"))
        }
        if let failure { throw failure }
        timeline.pictures = pictures
        return scores
    }

    /// Has `Scripts/report.py` draw `report.png` with the Python of the project's environment.
    /// - Parameter root: the project's folder.
    /// - Returns: nil, or a sentence that says why there is no picture; that is no failure of the call.
    public func draw(root: String = ".") -> String? {
        let python = root + "/.venv/bin/python"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            return "There is no picture of the report: Scripts/setup.sh media installs the Python tools that draw it"
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [root + "/Scripts/report.py", folder.workPath]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let errors = folder.file(".draw-errors")
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        defer { try? FileManager.default.removeItem(atPath: errors) }
        process.standardError = FileHandle(forWritingAtPath: errors)
        do {
            try process.run()
        } catch { return "There is no picture of the report: \(readable(error))" }
        process.waitUntilExit()
        guard process.terminationStatus != 0 else { return nil }
        let reason = (try? String(contentsOfFile: errors, encoding: .utf8))?.split(separator: "\n").last
        return "There is no picture of the report: \(reason.map(String.init) ?? "report.py failed")"
    }
}
