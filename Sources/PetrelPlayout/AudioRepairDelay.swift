/// How long playout must wait for what comes in place of lost packets: from the redundancy that the sender puts into its
/// packets (RFC 2198) and the losses seen.
///
/// Known before the repair comes late: the first losses and the distances in the packets that did arrive say what will
/// come when. All lengths are 48 kHz ticks.
struct AudioRepairDelay: Sendable {
    /// Distances told apart: 17 packets (RFC 2198 has no more for 20 ms), and never.
    private static let places = 18
    /// Packets of which the fate is open: longer than the longest distance.
    private static let window: Int64 = 24
    /// Packets after which an old fate counts 1/e: 8 s.
    private static let fateMemory = 400.0
    /// Packets after which an old loss counts 1/e: 10 s for the level, 1 s to see a sudden change.
    private static let levelMemory = 500.0
    private static let changeMemory = 50.0
    /// Loss below this is not waited for.
    private static let leastLoss = 0.003
    /// How fast the delay may sink: 30 ms in a second, as much as a listener does not notice.
    private static let sinkRate = 0.03
    /// What is asked for stays for so long: 1 s.
    private static let patience: Int64 = 48_000

    private var highest: Int64?
    /// By sequence number: in how many packets' time each became available; `places` for not yet.
    private var fates = InlineArray<32, UInt8>(repeating: 0)
    private var shares = InlineArray<19, Double>(repeating: 0)
    private var fatesSeen = 0.0
    private var seen = 0.0
    private var packetLength: Int64 = 960
    private var scheme = AudioRedundancyScheme.none
    private var schemeEnd = Int64.min
    private var raisedAt = Int64.min
    private var updated = Int64.min
    private var height = 0.0

    private var level = 0.0
    private var change = 0.0
    /// The share of packets that did not arrive themselves, lately: what it has been for seconds, or the last second where
    /// that is worse by more than chance (three standard deviations).
    var loss: Double {
        let chance = 3 * (level * (1 - level) / (2 * Self.changeMemory)).squareRoot()
        return max(level, seen < 2 * Self.changeMemory ? level : change - chance)
    }
    /// The delay to have beyond that of packets which arrive themselves.
    var ticks: Int64 { Int64(height) }

    /// A packet with sound of its own arrived.
    mutating func arrived(sequence: Int64, length: Int, scheme: AudioRedundancyScheme, at time: Int64) {
        packetLength = Int64(max(120, length))
        // The deepest of the last second counts: redundancy may alternate with plain packets.
        if scheme.reach >= self.scheme.reach || time > schemeEnd {
            self.scheme = scheme
            schemeEnd = time + Self.patience
        }
        guard let highest else {
            self.highest = sequence
            return
        }
        let step = sequence - highest
        guard step > 0 else {
            // Late, but itself: no loss after all.
            if step > -Self.window { settle(sequence, place: 0) }
            return
        }
        guard step < 500 else {
            // A new timeline.
            self.highest = sequence
            fates = InlineArray(repeating: 0)
            return
        }
        for number in (highest + 1)...sequence {
            close(number - Self.window)
            let isHere = number == sequence
            fates[Int(number & 31)] = isHere ? 0 : UInt8(Self.places)
            seen += 1
            let lost: Double = isHere ? 0 : 1
            level += (lost - level) * max(1 / Self.levelMemory, 1 / (seen + 4))
            change += (lost - change) * max(1 / Self.changeMemory, 1 / (seen + 4))
        }
        self.highest = sequence
        update(at: time)
    }

    /// A lost packet came in the one `distance` packets after it.
    mutating func recovered(sequence: Int64, distance: Int64) {
        guard let highest, sequence > highest - Self.window, sequence <= highest else { return }
        settle(sequence, place: UInt8(clamping: max(1, min(Int64(Self.places) - 1, distance))))
    }

    mutating func reset() {
        highest = nil
        fates = InlineArray(repeating: 0)
    }

    private mutating func settle(_ sequence: Int64, place: UInt8) {
        let index = Int(sequence & 31)
        fates[index] = min(fates[index], place)
    }

    /// The fate of a packet is known.
    private mutating func close(_ sequence: Int64) {
        fatesSeen += 1
        let weight = max(1 / Self.fateMemory, 1 / fatesSeen)
        let place = Int(fates[Int(sequence & 31)])
        for index in 0...Self.places { shares[index] *= 1 - weight }
        shares[place] += weight
        fates[Int(sequence & 31)] = 0
    }

    private mutating func update(at time: Int64) {
        let wanted = Double(wanted)
        let passed = updated == .min ? 0 : Double(max(0, time - updated))
        updated = time
        if wanted >= height {
            height = wanted
            raisedAt = time
        } else if time - raisedAt > Self.patience {
            height = max(wanted, height - passed * Self.sinkRate)
        }
    }

    /// The least delay by which all but a few of the packets are there.
    private var wanted: Int64 {
        guard loss >= Self.leastLoss, scheme.depth > 0, scheme.reach > 0 else { return 0 }
        let few = Self.tolerated(loss)
        // If losses come alone: each further distance leaves the same share of what was left.
        let distance = Double(scheme.reach) / Double(scheme.depth)
        var left = loss
        var count = 0
        while count < scheme.depth, left > few {
            left *= loss
            count += 1
        }
        var ticks = Int64(Double(count) * distance)
        // As they came: runs of losses need more.
        if fatesSeen >= 150 {
            var missing = 0.0
            for place in stride(from: Self.places - 1, through: 1, by: -1) {
                missing += shares[place]
                // One packet of chance in the memory is no reason.
                if missing > few + 1.5 / Self.fateMemory {
                    ticks = max(ticks, Int64(place) * packetLength)
                    break
                }
            }
        }
        return min(ticks, Int64(scheme.reach))
    }

    /// What may stay lost for the sake of delay, at a loss of `loss`: 0.07 % at 10 %, 0.8 % at 50 %.
    private static func tolerated(_ loss: Double) -> Double {
        let relative = loss * 2
        return min(0.008, 0.008 * relative * relative.squareRoot())
    }
}
