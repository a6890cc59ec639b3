public import PetrelCore
public import PetrelWire

/// Decides what each frame of a VP8 stream may lean on, so that a lost frame costs a round trip and not a key frame.
///
/// The sender numbers its frames and is told which of them the other side has decoded. One of the golden and the
/// alternate picture is always a frame that it is known to have; the other one is renewed now and then. Where a frame is
/// given up for lost, the next one leans on the newest picture that is known to be there, and on nothing else.
///
/// A pure value: told the time, the frames and the acknowledgements; bounded by ``window`` frames.
public struct ReferenceKeeper: Sendable {
    /// What to make of the next picture.
    public struct Plan: Hashable, Sendable {
        /// Decodable alone; the references mean nothing then.
        public var isKeyFrame: Bool
        public var references: VP8References
        /// The numbers of the frames it leans on, no number twice; at most three.
        public var leansOn: [Int64]
        /// It leaves out what is lost.
        public var isRecovery: Bool
        /// Later frames will lean on it for long: worth more protection than others.
        public var isLongTerm: Bool { isKeyFrame || !references.refreshes.isDisjoint(with: [.golden, .altRef]) }

        /// What the wire says of the frame `number` that was made by this plan.
        public func dependency(number: Int64, isKeyFrame: Bool) -> FrameDependency {
            var named = FrameReferences()
            for other in isKeyFrame ? [] : leansOn { named.add(distance: Int(clamping: number - other)) }
            return FrameDependency(number: number, references: named)
        }
    }

    /// How it works.
    public struct Configuration: Hashable, Sendable {
        /// The golden or the alternate picture is renewed so often, or every two round trips. Shorter costs bits, longer
        /// makes the picture to fall back to older, and the frame that leans on it larger.
        public var refreshInterval = TimeDelta.milliseconds(250)
        /// The oldest picture that is fallen back to. What leans on an older one is hardly smaller than a key frame.
        public var oldestReference = TimeDelta.seconds(3)
        /// Between two key frames at least, or two round trips: what comes sooner answers the same loss.
        public var keyFrameSpacing = TimeDelta.milliseconds(300)
        /// How much longer a key frame may stay unconfirmed than others: it has many packets to send and to repair, and
        /// another one would be no faster.
        public var keyFramePatience = TimeDelta.milliseconds(400)
        public init() {}
    }

    /// Frames that are remembered, and the furthest a frame may lean back: what the frame-references extension can name.
    public static let window: Int64 = 255

    private enum Fate: Sendable { case open, decoded, lost }
    private struct Entry: Sendable {
        var number: Int64
        var sent: Instant
        var fate: Fate
        var leansOn: [Int64]
        var refreshes: VP8Buffers
    }

    private let configuration: Configuration
    private var entries: [Entry] = []
    /// The number of the frame that each picture holds, as the encoder has them.
    private var last: Int64?
    private var golden: Int64?
    private var altRef: Int64?
    private var lastRefresh = Instant.distantPast
    private var lastKeyFrame = Instant.distantPast
    private var wantsKeyFrame = true
    /// When the other side last spoke, and whether it ever did.
    private var heard: Instant?
    /// Frames that left out a loss, and key frames made because there was nothing to fall back to.
    public private(set) var recoveries: UInt64 = 0
    public private(set) var keyFramesForced: UInt64 = 0

    public init(configuration: Configuration = Configuration()) { self.configuration = configuration }

    /// The other side needs a key frame, or asks for one, or the encoder begins anew.
    public mutating func requireKeyFrame() { wantsKeyFrame = true }

    /// What the other side says it has decoded.
    /// - Parameters:
    ///   - newest: the number of the newest frame it has decoded.
    ///   - earlier: bit `i` stands for the frame `newest - 1 - i`: decoded, or passed over for good.
    ///   - count: how many bits of `earlier` mean something, 0...64.
    ///   - now: when that was heard.
    public mutating func acknowledge(newest: Int64, earlier: UInt64, count: Int = 64, now: Instant) {
        // What was never sent cannot have been decoded.
        guard let final = entries.last?.number, newest <= final, newest > final - 2 * Self.window else {
            return
        }
        heard = now
        for index in entries.indices {
            let behind = newest - entries[index].number
            if behind < 0 { break }
            if behind == 0 || behind <= count && behind <= 64 && earlier >> UInt64(behind - 1) & 1 == 1 {
                entries[index].fate = .decoded
            } else if behind <= count, entries[index].fate == .open {
                // Passed over: it will not be decoded any more.
                entries[index].fate = .lost
            }
        }
        spreadLoss()
    }

    /// A frame could not be sent at all.
    public mutating func lost(_ number: Int64) {
        for index in entries.indices where entries[index].number == number && entries[index].fate == .open {
            entries[index].fate = .lost
        }
        spreadLoss()
    }

    /// What the next picture shall be.
    /// - Parameter patience: how long after it was sent a frame that is not confirmed is given up: the time it takes to
    ///   repair and to confirm it. Sooner, and new packets take the place of a few that are still on their way.
    public mutating func plan(now: Instant, roundTrip: TimeDelta, patience: TimeDelta) -> Plan {
        giveUp(now: now, roundTrip: roundTrip, patience: patience)
        guard !wantsKeyFrame, let last, fate(last) != nil else { return keyFrame }
        if fate(last) != .lost { return ordinary(last, now: now, roundTrip: roundTrip) }
        if let (buffer, number) = fallBack(now: now) {
            return Plan(
                isKeyFrame: false, references: VP8References(uses: buffer, refreshes: .last), leansOn: [number],
                isRecovery: true)
        }
        // Nothing to fall back to. A second key frame right after one would only make the way fuller.
        if now - lastKeyFrame >= max(configuration.keyFrameSpacing, roundTrip * 2) { return keyFrame }
        return ordinary(last, now: now, roundTrip: roundTrip)
    }

    /// A frame was made by the newest plan.
    /// - Parameters:
    ///   - number: higher than that of every frame before.
    ///   - isKeyFrame: what the encoder made of it.
    public mutating func encoded(_ number: Int64, plan: Plan, isKeyFrame: Bool, now: Instant) {
        guard entries.last.map({ $0.number < number }) ?? true else { return }
        if isKeyFrame {
            if plan.isKeyFrame, !wantsKeyFrame { keyFramesForced &+= 1 }
            wantsKeyFrame = false
            lastKeyFrame = now
            lastRefresh = now
            (last, golden, altRef) = (number, number, number)
        } else {
            if plan.isRecovery { recoveries &+= 1 }
            let refreshes = plan.references.refreshes
            if refreshes.contains(.last) { last = number }
            if refreshes.contains(.golden) { golden = number }
            if refreshes.contains(.altRef) { altRef = number }
            if plan.isLongTerm { lastRefresh = now }
        }
        if entries.count >= Int(Self.window) { entries.removeFirst() }
        entries.append(
            Entry(
                number: number, sent: now, fate: .open, leansOn: isKeyFrame ? [] : plan.leansOn,
                refreshes: isKeyFrame ? .all : plan.references.refreshes))
        spreadLoss()
    }

    // MARK: Parts

    private var keyFrame: Plan {
        Plan(isKeyFrame: true, references: VP8References(uses: [], refreshes: .all), leansOn: [], isRecovery: false)
    }

    /// From the last frame, and from those of the others that are known to be there.
    private func ordinary(_ last: Int64, now: Instant, roundTrip: TimeDelta) -> Plan {
        var uses: VP8Buffers = .last
        var leansOn = [last]
        for (buffer, number) in [(VP8Buffers.golden, golden), (.altRef, altRef)] {
            guard let number, fate(number) == .decoded || number == last else { continue }
            uses.insert(buffer)
            if !leansOn.contains(number) { leansOn.append(number) }
        }
        var refreshes: VP8Buffers = .last
        if now - lastRefresh >= max(configuration.refreshInterval, roundTrip * 2) {
            // Never the newest one that is known to be there.
            refreshes.insert(fallBack(now: now)?.buffer == .golden ? .altRef : .golden)
        }
        return Plan(
            isKeyFrame: false, references: VP8References(uses: uses, refreshes: refreshes), leansOn: leansOn,
            isRecovery: false)
    }

    /// The newest picture that the other side is known to have.
    private func fallBack(now: Instant) -> (buffer: VP8Buffers, number: Int64)? {
        var best: (buffer: VP8Buffers, number: Int64)?
        for (buffer, number) in [(VP8Buffers.golden, golden), (.altRef, altRef)] {
            guard let number, let entry = entry(number), entry.fate == .decoded,
                now - entry.sent <= configuration.oldestReference, number > best?.number ?? .min
            else { continue }
            best = (buffer, number)
        }
        return best
    }

    private func entry(_ number: Int64) -> Entry? { entries.last { $0.number == number } }
    private func fate(_ number: Int64) -> Fate? { entry(number)?.fate }

    /// Frames that stay unconfirmed although the other side speaks are lost.
    private mutating func giveUp(now: Instant, roundTrip: TimeDelta, patience: TimeDelta) {
        guard let heard else { return }
        var changed = false
        for index in entries.indices where entries[index].fate == .open {
            let extra = entries[index].leansOn.isEmpty ? configuration.keyFramePatience : .zero
            guard now - entries[index].sent >= patience + extra, heard - entries[index].sent >= roundTrip else { break }
            entries[index].fate = .lost
            changed = true
        }
        if changed { spreadLoss() }
    }

    /// What leans on a lost frame is lost with it.
    private mutating func spreadLoss() {
        for index in entries.indices where entries[index].fate == .open {
            for number in entries[index].leansOn where fate(number) == .lost { entries[index].fate = .lost }
        }
    }
}
