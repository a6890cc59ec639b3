/// What the live line of a stream that is published or played shows: a plain value. What is not known yet is nil.
public struct StreamSnapshot: Sendable {
    /// What is going on, in a word: `sending`, `receiving`, `reconnecting`.
    public var state: String
    public var elapsedSeconds = 0.0
    public var totalSeconds: Double?
    public var width: Int?
    public var height: Int?
    public var fps: Double?
    /// Of pictures and sound together.
    public var bitrateKbps: Double?
    /// Packets that the network lost in the last second or so.
    public var lossPercent: Double?
    public var roundTripMs: Double?

    public init(state: String) { self.state = state }
}

/// The live line as text: the same snapshot always gives the same line.
public enum StreamLine {
    /// The line, without its end.
    public static func text(_ snapshot: StreamSnapshot) -> String {
        let total = snapshot.totalSeconds.map { " of \(fixed($0, digits: 0))" } ?? ""
        var parts = ["\(snapshot.state) \(fixed(snapshot.elapsedSeconds, digits: 0))\(total) s"]
        if let width = snapshot.width, let height = snapshot.height { parts.append("\(width)x\(height)") }
        parts.append("\(snapshot.fps.map { fixed($0, digits: 1) } ?? "-") fps")
        parts.append("\(snapshot.bitrateKbps.map { fixed($0, digits: 0) } ?? "-") kbit/s")
        parts.append("loss \(snapshot.lossPercent.map { fixed($0, digits: 1) } ?? "-") %")
        parts.append("round trip \(snapshot.roundTripMs.map { fixed($0, digits: 1) } ?? "-") ms")
        return parts.joined(separator: "  ")
    }
}
