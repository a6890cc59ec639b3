internal import Foundation
public import PetrelDevices

/// Everything that one peer of a call wrote down, sorted by kind, in the order in which it happened.
public struct PeerLog: Equatable, Sendable {
    public struct VideoSent: Equatable, Sendable {
        public var counter: Int
        public var captureMs: Double
        public var width: Int
        public var height: Int

        public init(counter: Int, captureMs: Double, width: Int, height: Int) {
            (self.counter, self.captureMs, self.width, self.height) = (counter, captureMs, width, height)
        }
    }

    public struct VideoRendered: Equatable, Sendable {
        /// The counter modulo 1024 as read from the picture.
        public var stamp: Int?
        public var renderMs: Double
        public var width: Int
        public var height: Int
        /// The frame's position in the IVF recording.
        public var recorded: Int?

        public init(stamp: Int?, renderMs: Double, width: Int, height: Int, recorded: Int? = nil) {
            (self.stamp, self.renderMs, self.width, self.height) = (stamp, renderMs, width, height)
            self.recorded = recorded
        }
    }

    public struct AudioSent: Equatable, Sendable {
        public var sampleIndex: Int
        public var captureMs: Double

        public init(sampleIndex: Int, captureMs: Double) {
            (self.sampleIndex, self.captureMs) = (sampleIndex, captureMs)
        }
    }

    public struct AudioRendered: Equatable, Sendable {
        public var captureMs: Double
        public var renderMs: Double

        public init(captureMs: Double, renderMs: Double) { (self.captureMs, self.renderMs) = (captureMs, renderMs) }
    }

    public struct CounterSample: Equatable, Sendable {
        public var wallMs: Double
        public var counters: PeerCounters

        public init(wallMs: Double, counters: PeerCounters) { (self.wallMs, self.counters) = (wallMs, counters) }
    }

    /// When each step of the connection was reached first.
    public var milestones: [CallEvent.Milestone: Double] = [:]
    public var videoSent: [VideoSent] = []
    public var videoRendered: [VideoRendered] = []
    public var audioSent: [AudioSent] = []
    public var audioRendered: [AudioRendered] = []
    public var counters: [CounterSample] = []

    public init() {}

    public mutating func append(_ event: CallEvent) {
        switch event {
        case .milestone(let milestone, let wall):
            if milestones[milestone] == nil { milestones[milestone] = wall }
        case .videoSent(let counter, let capture, let width, let height):
            videoSent.append(VideoSent(counter: counter, captureMs: capture, width: width, height: height))
        case .videoRendered(let stamp, let render, let width, let height, let recorded):
            videoRendered.append(
                VideoRendered(stamp: stamp, renderMs: render, width: width, height: height, recorded: recorded))
        case .audioSent(let sample, let capture):
            audioSent.append(AudioSent(sampleIndex: sample, captureMs: capture))
        case .audioRendered(let capture, let render):
            audioRendered.append(AudioRendered(captureMs: capture, renderMs: render))
        case .counters(let counters, let wall):
            self.counters.append(CounterSample(wallMs: wall, counters: counters))
        }
    }

    /// Reads the text of a log; lines it does not know are left out.
    public init(text: some StringProtocol) {
        for line in text.split(separator: "\n") {
            if let event = CallEvent(line: line) { append(event) }
        }
    }

    /// Reads the log file of a peer.
    public init(path: String) throws(ToolError) {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ToolError("The log of a peer cannot be read: \(path)")
        }
        self.init(text: text)
    }
}
