/// What the live table shows of a running call: a plain value, filled by whoever runs the call.
public struct CallSnapshot: Sendable {
    /// Since media began to flow; nil while connecting.
    public var elapsedSeconds: Double?
    public var totalSeconds: Double?
    /// What is going on, in a few words: `connecting`, `running`, `finishing`.
    public var state: String
    public var directions: [Direction]

    public init(
        elapsedSeconds: Double? = nil, totalSeconds: Double? = nil, state: String, directions: [Direction] = []
    ) {
        (self.elapsedSeconds, self.totalSeconds) = (elapsedSeconds, totalSeconds)
        (self.state, self.directions) = (state, directions)
    }

    /// One way of the call. Values that are not known yet are nil and shown as a dash.
    public struct Direction: Sendable {
        public var name: String
        public var width: Int?
        public var height: Int?
        public var fps: Double?
        /// Video and audio together.
        public var bitrateKbps: Double?
        /// Capture to render of the video, P50 of the last second.
        public var latencyMs: Double?
        /// Packets that the network lost, of those sent.
        public var lossPercent: Double?
        /// Packets brought back in time by retransmission or repair.
        public var repaired: Int?
        public var freezes: Int?
        /// Share of the audio that concealment made up.
        public var concealedPercent: Double?
        /// Video render minus audio render at equal capture time.
        public var skewMs: Double?

        public init(name: String) { self.name = name }
    }
}
