/// One thing that happened in a peer of a call, with the wall time at which it did (milliseconds of the system clock).
///
/// A peer process writes its events as lines of text (``EventLogWriter``); whoever started the peers reads the logs of
/// both (``PeerLog``) and makes the report (``CallReportBuilder``). All peers of a report must share one clock, which
/// two processes of one machine do.
public enum CallEvent: Equatable, Sendable {
    /// A step of the connection or of the life of the peer.
    case milestone(Milestone, wallMs: Double)
    /// A frame was captured and handed to the encoder. `counter` runs on from 0 and is not reduced modulo 1024.
    case videoSent(counter: Int, captureMs: Double, width: Int, height: Int)
    /// A decoded frame was shown. `stamp` is the counter modulo 1024 read from the picture, nil where unreadable;
    /// `recorded` is the position of the frame in the peer's IVF recording, nil where it was not recorded.
    case videoRendered(stamp: Int?, renderMs: Double, width: Int, height: Int, recorded: Int?)
    /// The sample `sampleIndex` (48 kHz) was captured and handed to the encoder.
    case audioSent(sampleIndex: Int, captureMs: Double)
    /// Audio captured by the other side at `captureMs` was played out at `renderMs`.
    case audioRendered(captureMs: Double, renderMs: Double)
    /// The counters of the peer, about once a second and at the end.
    case counters(PeerCounters, wallMs: Double)

    public enum Milestone: String, CaseIterable, Sendable {
        /// The offer is being made: the origin of all times of the set-up.
        case offerCreated
        case iceConnected
        case dtlsConnected
        /// The first audio was played out.
        case firstAudio
        /// The first picture was shown.
        case firstFrame
        /// The peer stopped sending.
        case sendingEnded
        case closed
    }
}

extension CallEvent {
    /// The event as a line of text: a word and `key=value` pairs, separated by single spaces.
    public var line: String {
        switch self {
        case .milestone(let milestone, let wall):
            return "milestone name=\(milestone.rawValue) t=\(fixed(wall))"
        case .videoSent(let counter, let capture, let width, let height):
            return "videoSent n=\(counter) t=\(fixed(capture)) w=\(width) h=\(height)"
        case .videoRendered(let stamp, let render, let width, let height, let recorded):
            let stampText = stamp.map { " n=\($0)" } ?? ""
            let recordedText = recorded.map { " rec=\($0)" } ?? ""
            return "videoRendered t=\(fixed(render)) w=\(width) h=\(height)\(stampText)\(recordedText)"
        case .audioSent(let sample, let capture):
            return "audioSent n=\(sample) t=\(fixed(capture))"
        case .audioRendered(let capture, let render):
            return "audioRendered c=\(fixed(capture)) t=\(fixed(render))"
        case .counters(let counters, let wall):
            return "counters t=\(fixed(wall))" + counters.fields.map { " \($0)=\($1)" }.joined()
        }
    }

    /// Reads a line of ``line``; nil for a line of another kind, so that newer logs can still be read.
    public init?(line: some StringProtocol) {
        var parts = line.split(separator: " ")
        guard !parts.isEmpty else { return nil }
        let kind = parts.removeFirst()
        var values: [Substring: Substring] = [:]
        for part in parts {
            guard let equals = part.firstIndex(of: "=") else { continue }
            values[Substring(part[..<equals])] = Substring(part[part.index(after: equals)...])
        }
        guard let wall = values["t"].flatMap({ Double($0) }), wall.isFinite else { return nil }
        func integer(_ key: Substring) -> Int? { values[key].flatMap { Int($0) } }
        switch kind {
        case "milestone":
            guard let milestone = values["name"].flatMap({ Milestone(rawValue: String($0)) }) else { return nil }
            self = .milestone(milestone, wallMs: wall)
        case "videoSent":
            guard let counter = integer("n"), let width = integer("w"), let height = integer("h") else { return nil }
            self = .videoSent(counter: counter, captureMs: wall, width: width, height: height)
        case "videoRendered":
            guard let width = integer("w"), let height = integer("h") else { return nil }
            self = .videoRendered(
                stamp: integer("n"), renderMs: wall, width: width, height: height, recorded: integer("rec"))
        case "audioSent":
            guard let sample = integer("n") else { return nil }
            self = .audioSent(sampleIndex: sample, captureMs: wall)
        case "audioRendered":
            guard let capture = values["c"].flatMap({ Double($0) }), capture.isFinite else { return nil }
            self = .audioRendered(captureMs: capture, renderMs: wall)
        case "counters":
            var counters = PeerCounters()
            for (key, value) in values { counters.set(key, value) }
            self = .counters(counters, wallMs: wall)
        default:
            return nil
        }
    }
}

/// Three digits behind the point: wall times in milliseconds to the microsecond, without the cost of a formatter.
func fixed(_ value: Double, digits: Int = 3) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "0" }
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value.magnitude * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % scale)
    return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
}
