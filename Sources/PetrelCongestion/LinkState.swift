public import PetrelCore

/// What the sender knows about loss and time on one path, as far as repair needs it.
public struct LinkState: Hashable, Sendable {
    /// The share of packets that will be lost, 0...1, as repair should reckon with it: the worse of the last half second
    /// and of a bad half second (the 80th percentile) in the last five.
    public var loss: Double
    /// The share lost over about the last half second, 0...1.
    public var recentLoss: Double
    /// The share lost over the last five seconds, 0...1: what a steady path loses, with the least noise.
    public var meanLoss: Double
    /// The mean length of a run of lost packets, in packets of this path, at least 1. Independent losses of share p have
    /// runs of 1/(1-p).
    public var burst: Double
    /// Packets sent per second, all streams of the path together: what turns ``burst`` into time.
    public var packetRate: Double
    /// From here to the other side and back.
    public var roundTrip: TimeDelta
    /// The packets that this rests on. With few of them, ``loss`` is a guess.
    public var samples: Int

    public init(
        loss: Double = 0, recentLoss: Double = 0, meanLoss: Double = 0, burst: Double = 1, packetRate: Double = 0,
        roundTrip: TimeDelta = .milliseconds(100), samples: Int = 0
    ) {
        self.loss = loss
        self.recentLoss = recentLoss
        self.meanLoss = meanLoss
        self.burst = burst
        self.packetRate = packetRate
        self.roundTrip = roundTrip
        self.samples = samples
    }

    /// The mean length of a run of losses in time; zero while the rate of packets is not known.
    public var burstDuration: TimeDelta { packetRate > 0 ? .seconds(burst / packetRate) : .zero }
}
