public import PetrelCongestion
public import PetrelCore
public import PetrelWire

/// What the sender of one stream remembers of frames and repair packets, to answer reports of what is missing.
public struct RepairLedger: Sendable {
    /// Frames remembered: 2 s at 30 a second. What is older is beyond repair.
    static let frames = 64
    /// Repair packets remembered: twice as many as are under way at 5 Mbit/s and a round trip of 300 ms.
    static let packets = 512
    /// Repair packets that may be sent beyond what media packets have entitled to: a key frame of 60 packets, twice.
    static let reserve = 128.0
    /// A packet whose fate no report tells is taken for decided so long after the round trip.
    static let patience = TimeDelta.milliseconds(25)

    private struct Frame: Sendable {
        var first: Int64 = 0
        var last: Int64 = -1
        var sent = Instant.distantPast
    }
    private struct Packet: Sendable {
        /// The extended number of the repair packet; nil while it waits to be sent.
        var number: Int64?
        /// The last media packet it covers.
        var end: Int64 = -1
        var at = Instant.distantPast
    }

    private var frameRing = Array(repeating: Frame(), count: RepairLedger.frames)
    private var frameCount = 0
    private var packetRing = Array(repeating: Packet(), count: RepairLedger.packets)
    private var packetCount = 0
    private var nextNumber: Int64
    private var entitled = RepairLedger.reserve
    private var carry = 0.0
    /// The first media packet that repair still covers.
    public private(set) var base: Int64 = 0
    /// Repair packets that were asked for and not sent, since the loss does not justify them.
    public private(set) var refused: UInt64 = 0
    /// The last report, for statistics and for the choice of references.
    public private(set) var lastReport: RepairFeedback?

    /// - Parameter number: the sequence number of the first repair packet.
    public init(firstNumber number: UInt16) { nextNumber = Int64(number) + 0x10000 }

    /// Notes a frame that is sent at `now`.
    /// - Returns: how many repair packets go with it.
    public mutating func frameSent(
        _ packets: ClosedRange<Int64>, isKeyFrame: Bool, by controller: RepairController, now: Instant
    ) -> Int {
        // Nothing before a key frame is needed once that is there.
        if isKeyFrame || frameCount == 0 { base = packets.lowerBound }
        frameRing[frameCount % Self.frames] = Frame(first: packets.lowerBound, last: packets.upperBound, sent: now)
        frameCount += 1
        entitled = min(Self.reserve, entitled + Double(packets.count) * controller.allowance)
        let wanted = controller.firstVolley(packets: packets.count, isKeyFrame: isKeyFrame, carry: &carry)
        return take(wanted, end: packets.upperBound, now: now)
    }

    private mutating func take(_ wanted: Int, end: Int64, now: Instant) -> Int {
        let count = min(wanted, Int(entitled))
        refused &+= UInt64(wanted - count)
        entitled -= Double(count)
        for _ in 0..<count {
            packetRing[packetCount % Self.packets] = Packet(number: nil, end: end, at: now)
            packetCount += 1
        }
        return count
    }

    /// The window and the sequence number of a repair packet that leaves now and was planned to cover all up to `end`;
    /// nil where nothing of that is missing any more.
    public mutating func release(end: Int64, now: Instant) -> (number: UInt16, window: ClosedRange<Int64>)? {
        guard end >= base else { return nil }
        // What leaves in the order of its end need not have been planned in it, but for short times.
        for back in 1...Self.packets where back <= packetCount {
            let index = (packetCount - back) % Self.packets
            guard packetRing[index].number == nil, packetRing[index].end == end else { continue }
            packetRing[index].number = nextNumber
            packetRing[index].at = now
            break
        }
        let number = UInt16(truncatingIfNeeded: nextNumber)
        nextNumber += 1
        return (number, base...min(end, base + Int64(RepairCode.maximumWindow) - 1))
    }

    /// Takes in a report of the other side.
    /// - Parameters:
    ///   - next: the extended sequence number of the next media packet.
    ///   - send: told how many more repair packets to send, and the last media packet they cover; several times, the
    ///     oldest frames first.
    /// - Throws: `rtcpImplausible` where the report tells of what was never sent; nothing changes then.
    public mutating func receive(
        _ report: RepairFeedback, next: Int64, by controller: RepairController, now: Instant,
        send: (Int, Int64) -> Void
    ) throws(DropReason) {
        let state = report.state
        let highest = next - Int64(UInt16(truncatingIfNeeded: next) &- state.highest)
        let frontier = next - Int64(UInt16(truncatingIfNeeded: next) &- state.frontier)
        guard frameCount > 0, highest < next, highest >= next - Int64(SendStream.videoHistory),
            frontier <= highest + 1, frontier > highest - Int64(RepairState.maximumSpan)
        else { throw .rtcpImplausible }
        lastReport = report
        base = max(base, frontier)
        let repaired =
            nextNumber - Int64(UInt16(truncatingIfNeeded: nextNumber) &- state.highestRepair)
        let decided = now - controller.roundTrip - Self.patience
        var missing = 0
        var counted = base
        for place in max(0, frameCount - Self.frames)..<frameCount {
            let frame = frameRing[place % Self.frames]
            guard frame.last >= base else { continue }
            guard frame.first <= highest || frame.sent < decided else { break }
            missing += state.deficit(through: Int(min(frame.last, highest) - frontier))
            missing -= state.deficit(through: Int(counted - 1 - frontier))
            counted = min(frame.last, highest) + 1
            // Packets that the other side has not heard of and should have.
            if frame.last > highest, frame.sent < decided { missing += Int(frame.last - max(highest, frame.first - 1)) }
            let underWay = inFlight(through: frame.last, after: repaired, decided: decided)
            let slack = controller.playoutDelay - (now - frame.sent)
            let more = take(
                controller.topUp(missing: missing, inFlight: underWay, slack: slack), end: frame.last, now: now)
            if more > 0 { send(more, frame.last) }
        }
    }

    private func inFlight(through end: Int64, after repaired: Int64, decided: Instant) -> Int {
        var count = 0
        for place in max(0, packetCount - Self.packets)..<packetCount {
            let packet = packetRing[place % Self.packets]
            if packet.end <= end, packet.end >= base, packet.at > decided, packet.number.map({ $0 > repaired }) ?? true
            {
                count += 1
            }
        }
        return count
    }
}
