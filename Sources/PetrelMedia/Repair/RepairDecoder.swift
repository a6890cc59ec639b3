public import PetrelCore
public import PetrelWire

/// A packet that the repair code has brought back.
public struct RecoveredPacket: Hashable, Sendable {
    /// Its RTP sequence number, timestamp, marker and payload type.
    public var sequenceNumber: UInt16
    public var timestamp: UInt32
    public var marker: Bool
    public var payloadType: UInt8
    /// Where its payload lies in the slot it was written to.
    public var payload: Range<Int>
}

/// Solves the equations of ``RepairCode``: fed with every media and repair packet of one stream, it answers the packets
/// that follow from them.
///
/// The equations are kept reduced: each has a packet of its own (its pivot, the newest one in it) that is in no other,
/// so that an equation with nothing but its pivot is that packet. Whatever comes in, memory and the work per packet are
/// bounded, and nothing is allocated after the creation.
public final class RepairDecoder {
    /// Media packets remembered, known and unknown: two windows, so that a repair packet still finds what it covers when
    /// So many packets before the first that came may have been sent: a key frame of 720p at a call's beginning has 10 to
    /// 25.
    static let reachBack: Int64 = 32
    /// the newest window has begun. 344 KB.
    static let span = 256
    /// Equations held: each stands for one missing packet, and a whole window may be missing. 204 KB.
    static let rows = RepairCode.maximumWindow
    /// A packet of this stream lies within so many ticks of the others that are remembered: 10 s at 90 kHz.
    static let largestTimestampStep: UInt32 = 900_000

    private struct Slot {
        var sequence: Int64 = -1
        var isKnown = false
        /// Bytes of the symbol, its own header included.
        var length = 0
        /// The equation whose pivot it is, or -1.
        var row = -1
    }
    private struct Row {
        /// The newest packet in it; -1: the row is free.
        var pivot: Int64 = -1
        var length = 0
    }

    private let symbols = SlotMemory(count: RepairDecoder.span, slotSize: RepairCode.maximumSymbol)
    private let sums = SlotMemory(count: RepairDecoder.rows, slotSize: RepairCode.maximumSymbol)
    private let factors = SlotMemory(count: RepairDecoder.rows, slotSize: RepairDecoder.span)
    private var slots = Array(repeating: Slot(), count: RepairDecoder.span)
    private var equations = Array(repeating: Row(), count: RepairDecoder.rows)
    private var recovered = Array(repeating: Int64(-1), count: RepairDecoder.span)
    private var recoveredCount = 0
    /// The first packet that is still wanted, and whether the sender has said so.
    private var floor: Int64 = 0
    private var floorIsTold = false
    /// The first packet that came.
    private var first: Int64 = 0
    /// The newest packet known to exist; nil before the first.
    private var newest: Int64?
    private var highestRepair: Int64?
    /// What the last packet that came by itself was like; what is brought back must resemble it.
    private var model: (payloadType: UInt8, timestamp: UInt32)?
    /// Counts: repair packets taken in, and packets brought back.
    public private(set) var repairPackets: UInt64 = 0
    public private(set) var packetsRecovered: UInt64 = 0

    public init() {}

    /// Forgets everything: the sender has begun anew.
    public func reset() {
        for index in slots.indices { slots[index] = Slot() }
        for index in equations.indices { equations[index] = Row() }
        recoveredCount = 0
        floorIsTold = false
        newest = nil
        model = nil
    }

    // MARK: What comes in

    /// Takes in a media packet.
    public func receive(
        sequenceNumber: UInt16, marker: Bool, payloadType: UInt8, timestamp: UInt32, payload: UnsafeRawBufferPointer
    ) {
        let length = RepairCode.symbolHeaderLength + payload.count
        guard length <= RepairCode.maximumSymbol else { return }
        let sequence = extended(sequenceNumber)
        if let newest, sequence > newest + Int64(Self.span) || sequence < newest - Int64(Self.span) * 8 { reset() }
        if newest == nil { begin(at: sequence) }
        guard reach(sequence), sequence > (newest ?? 0) - Int64(Self.span) else { return }
        let index = place(sequence)
        if slots[index].sequence != sequence { slots[index] = Slot(sequence: sequence) }
        guard !slots[index].isKnown else { return }
        let symbol = symbols.slot(index)
        RepairSymbol.write(
            into: symbol, payloadLength: payload.count, marker: marker, payloadType: payloadType, timestamp: timestamp)
        UnsafeMutableRawBufferPointer(rebasing: symbol[RepairCode.symbolHeaderLength...]).copyMemory(from: payload)
        slots[index].length = length
        model = (payloadType, timestamp)
        learn(sequence)
        advanceFloor()
    }

    /// Takes in the payload of a repair packet.
    /// - Throws: `repairMalformed`, `repairTooOld`, `repairNotNeeded`, `repairInconsistent` or `repairFull`.
    public func receive(repair number: UInt16, payload: UnsafeRawBufferPointer) throws(DropReason) {
        guard payload.count > RepairCode.headerLength + RepairCode.symbolHeaderLength,
            payload.count <= RepairCode.headerLength + RepairCode.maximumSymbol, payload[0] == 0
        else { throw .repairMalformed }
        let count = Int64(payload[1])
        guard count > 0, count <= Int64(RepairCode.maximumWindow) else { throw .repairMalformed }
        let first = UInt16(payload[2]) << 8 | UInt16(payload[3])
        let base = extended(first)
        let end = base + count - 1
        if let newest {
            guard base <= newest + Int64(Self.span) - count, end > newest - Int64(Self.span) else {
                throw .repairTooOld
            }
        } else {
            begin(at: base)
        }
        repairPackets &+= 1
        let repair = highestRepair.map { $0 + Int64(Int16(truncatingIfNeeded: Int64(number) - $0)) } ?? Int64(number)
        highestRepair = max(highestRepair ?? repair, repair)
        guard reach(end), base > (newest ?? 0) - Int64(Self.span) else { throw .repairTooOld }
        tell(base)
        defer { advanceFloor() }
        try add(number, base...end, UnsafeRawBufferPointer(rebasing: payload[RepairCode.headerLength...]))
    }

    /// Nothing before `sequenceNumber` is wanted any more.
    public func forget(before sequenceNumber: UInt16) {
        guard newest != nil else { return }
        raise(extended(sequenceNumber))
        advanceFloor()
    }

    private func begin(at sequence: Int64) {
        newest = sequence - 1
        floor = sequence
        first = sequence
        floorIsTold = false
    }

    /// The sender repairs nothing before `base`. Only the first time does it reach back: what was sent before the first
    /// packet that came is known by it alone.
    private func tell(_ base: Int64) {
        if !floorIsTold, base < floor {
            for sequence in base..<floor where slots[place(sequence)].sequence != sequence {
                slots[place(sequence)] = Slot(sequence: sequence)
            }
            floor = base
        }
        floorIsTold = true
        raise(base)
    }

    private func raise(_ base: Int64) {
        let raised = min(max(floor, base), (newest ?? base) + 1)
        // What is repaired no more keeps no equation busy.
        while floor < raised {
            if slots[place(floor)].sequence == floor { evict(place(floor)) }
            floor += 1
        }
    }

    /// Makes `sequence` the newest packet, if it is newer; false where it is beyond reach.
    private func reach(_ sequence: Int64) -> Bool {
        guard let last = newest else { return false }
        guard sequence > last else { return true }
        guard sequence - last <= Int64(Self.span) else { return false }
        for next in (last + 1)...sequence {
            evict(place(next))
            slots[place(next)] = Slot(sequence: next)
        }
        newest = sequence
        floor = max(floor, sequence - Int64(Self.span) + 1)
        return true
    }

    /// The packet in this place will never be known: it is taken out of all equations, at the cost of one of them.
    private func evict(_ index: Int) {
        guard slots[index].sequence >= 0, !slots[index].isKnown else { return }
        // No other equation holds a pivot.
        if slots[index].row >= 0 { return free(slots[index].row) }
        // The one with the oldest pivot is spent, so that those of the others stay their newest packets.
        var spent = -1
        for row in equations.indices
        where equations[row].pivot >= 0 && factors.slot(row)[index] != 0
            && (spent < 0 || equations[row].pivot < equations[spent].pivot)
        {
            spent = row
        }
        guard spent >= 0 else { return }
        let inverse = GF256.inverse(factors.slot(spent)[index])
        for row in equations.indices where row != spent && equations[row].pivot >= 0 {
            let factor = factors.slot(row)[index]
            if factor != 0 { subtract(row: spent, times: GF256.multiply(factor, inverse), from: row) }
        }
        free(spent)
    }

    private func advanceFloor() {
        guard let newest else { return }
        while floor <= newest, slots[place(floor)].sequence == floor, slots[place(floor)].isKnown { floor += 1 }
    }

    private func place(_ sequence: Int64) -> Int { Int(sequence & Int64(Self.span - 1)) }

    private func extended(_ number: UInt16) -> Int64 {
        guard let newest else { return Int64(number) + 0x10000 }
        return newest + Int64(Int16(truncatingIfNeeded: Int64(number) - newest))
    }

    // MARK: Equations

    private func add(
        _ number: UInt16, _ window: ClosedRange<Int64>, _ sum: UnsafeRawBufferPointer
    ) throws(DropReason) {
        var isNeeded = false
        for sequence in window {
            let slot = slots[place(sequence)]
            // A packet that was given up cannot be taken out of the sum.
            guard slot.sequence == sequence else { throw .repairTooOld }
            guard slot.isKnown else {
                isNeeded = true
                continue
            }
            guard slot.length <= sum.count else { throw .repairMalformed }
        }
        guard isNeeded else { throw .repairNotNeeded }
        guard let row = equations.firstIndex(where: { $0.pivot < 0 }) else { throw .repairFull }
        let memory = sums.slot(row)
        memory.copyMemory(from: sum)
        let rest = UnsafeMutableRawBufferPointer(rebasing: memory[sum.count...])
        rest.initializeMemory(as: UInt8.self, repeating: 0)
        factors.slot(row).initializeMemory(as: UInt8.self, repeating: 0)
        equations[row].length = sum.count
        for sequence in window {
            let index = place(sequence)
            let factor = RepairCode.coefficient(repair: number, sequence: UInt16(truncatingIfNeeded: sequence))
            if slots[index].isKnown {
                subtract(symbol: index, times: factor, from: row)
            } else {
                factors.slot(row)[index] = factor
            }
        }
        // No equation holds another's pivot, so the order does not matter.
        for sequence in window {
            let (index, factor) = (place(sequence), factors.slot(row)[place(sequence)])
            if factor != 0, slots[index].row >= 0 { subtract(row: slots[index].row, times: factor, from: row) }
        }
        guard settle(row) else {
            // Nothing is left of it: it must then say that nothing is nothing.
            let isZero = sums.slot(row)[..<equations[row].length].allSatisfy { $0 == 0 }
            if isZero { throw .repairNotNeeded }
            forgetEquations()
            throw .repairInconsistent
        }
    }

    /// Gives an equation without pivot its pivot, and takes that out of all others. False where nothing is left of it.
    private func settle(_ row: Int) -> Bool {
        guard let newest else { return false }
        let mine = factors.slot(row)
        var pivot: Int64 = -1
        var sequence = newest
        while sequence > newest - Int64(Self.span) {
            if mine[place(sequence)] != 0 {
                pivot = sequence
                break
            }
            sequence -= 1
        }
        guard pivot >= 0 else {
            equations[row].pivot = -1
            return false
        }
        let index = place(pivot)
        let inverse = GF256.inverse(mine[index])
        // (f + 1) times a thing, added to it, is f times it.
        GF256.multiplyAdd(mine, UnsafeRawBufferPointer(mine), factor: inverse ^ 1)
        let sum = UnsafeMutableRawBufferPointer(rebasing: sums.slot(row)[..<equations[row].length])
        GF256.multiplyAdd(sum, UnsafeRawBufferPointer(sum), factor: inverse ^ 1)
        equations[row].pivot = pivot
        slots[index].row = row
        for other in equations.indices where other != row && equations[other].pivot >= 0 {
            let factor = factors.slot(other)[index]
            guard factor != 0 else { continue }
            subtract(row: row, times: factor, from: other)
            finish(other)
        }
        finish(row)
        return true
    }

    /// Takes the packet out of an equation that says nothing but the packet.
    private func finish(_ row: Int) {
        let pivot = equations[row].pivot
        guard pivot >= 0 else { return }
        let index = place(pivot)
        let mine = factors.slot(row)
        mine[index] = 0
        let isAlone = mine.withMemoryRebound(to: UInt64.self) { words in words.allSatisfy { $0 == 0 } }
        mine[index] = 1
        guard isAlone else { return }
        let sum = UnsafeRawBufferPointer(rebasing: sums.slot(row)[..<equations[row].length])
        let own = RepairSymbol.length(sum)
        // What cannot be a packet of this stream came from a sender that lies, or errs. All equations may have a part in
        // it: they go, so that no packet is brought back from it, which would then spoil the next.
        guard own > RepairCode.symbolHeaderLength, own <= sum.count, sum[own...].allSatisfy({ $0 == 0 }),
            isPlausible(sum)
        else { return forgetEquations() }
        free(row)
        slots[index].isKnown = true
        symbols.slot(index).copyMemory(from: UnsafeRawBufferPointer(rebasing: sum[..<own]))
        slots[index].length = own
        guard recoveredCount < recovered.count else { return }
        recovered[recoveredCount] = pivot
        recoveredCount += 1
    }

    private func isPlausible(_ symbol: UnsafeRawBufferPointer) -> Bool {
        guard let model else { return true }
        let head = RepairSymbol.head(symbol)
        let ahead = head.timestamp &- model.timestamp
        return head.payloadType == model.payloadType
            && min(ahead, 0 &- ahead) <= Self.largestTimestampStep
    }

    private func forgetEquations() {
        for row in equations.indices where equations[row].pivot >= 0 { free(row) }
    }

    private func free(_ row: Int) {
        let pivot = equations[row].pivot
        equations[row].pivot = -1
        if pivot >= 0, slots[place(pivot)].sequence == pivot { slots[place(pivot)].row = -1 }
    }

    /// A packet has become known by itself: it is taken out of all equations.
    private func learn(_ sequence: Int64) {
        let index = place(sequence)
        slots[index].isKnown = true
        let own = slots[index].row
        slots[index].row = -1
        if own >= 0 {
            factors.slot(own)[index] = 0
            equations[own].pivot = -1
            subtract(symbol: index, times: 1, from: own)
            _ = settle(own)
            return
        }
        for row in equations.indices where equations[row].pivot >= 0 {
            let factor = factors.slot(row)[index]
            guard factor != 0 else { continue }
            factors.slot(row)[index] = 0
            subtract(symbol: index, times: factor, from: row)
            finish(row)
        }
    }

    private func subtract(symbol index: Int, times factor: UInt8, from row: Int) {
        let length = slots[index].length
        equations[row].length = max(equations[row].length, length)
        GF256.multiplyAdd(
            sums.slot(row), UnsafeRawBufferPointer(rebasing: symbols.slot(index)[..<length]), factor: factor)
    }

    private func subtract(row other: Int, times factor: UInt8, from row: Int) {
        let length = equations[other].length
        equations[row].length = max(equations[row].length, length)
        GF256.multiplyAdd(
            sums.slot(row), UnsafeRawBufferPointer(rebasing: sums.slot(other)[..<length]), factor: factor)
        GF256.multiplyAdd(factors.slot(row), UnsafeRawBufferPointer(factors.slot(other)), factor: factor)
    }

    // MARK: What comes out

    /// The next packet that was brought back, with its payload at the beginning of `slot`; to be called until it answers
    /// nothing.
    public func nextRecovered(into slot: UnsafeMutableRawBufferPointer, at offset: Int) -> RecoveredPacket? {
        while recoveredCount > 0 {
            recoveredCount -= 1
            let sequence = recovered[recoveredCount]
            let index = place(sequence)
            guard slots[index].sequence == sequence, slots[index].isKnown else { continue }
            let symbol = UnsafeRawBufferPointer(rebasing: symbols.slot(index)[..<slots[index].length])
            let payload = UnsafeRawBufferPointer(rebasing: symbol[RepairCode.symbolHeaderLength...])
            guard offset + payload.count <= slot.count else { continue }
            UnsafeMutableRawBufferPointer(rebasing: slot[offset...]).copyMemory(from: payload)
            packetsRecovered &+= 1
            let head = RepairSymbol.head(symbol)
            return RecoveredPacket(
                sequenceNumber: UInt16(truncatingIfNeeded: sequence), timestamp: head.timestamp, marker: head.marker,
                payloadType: head.payloadType, payload: offset..<(offset + payload.count))
        }
        return nil
    }

    /// The packets that are wanted and neither known nor the pivot of an equation: each needs one more repair packet.
    public var deficit: Int {
        var count = 0
        forEachNeeded { _ in count += 1 }
        return count
    }

    private func forEachNeeded(_ body: (Int64) -> Void) {
        guard let newest, floor <= newest else { return }
        for sequence in floor...newest {
            let slot = slots[place(sequence)]
            if !slot.isKnown || slot.sequence != sequence, slot.row < 0 { body(sequence) }
        }
    }

    /// What the sender must know; nil before the first packet.
    public var state: RepairState? {
        guard let newest else { return nil }
        // Whether something came before the first packet only the sender knows: it is asked for until the first repair
        // packet tells, or else the sender would take it for not wanted.
        let asksBack = !floorIsTold && newest - first < Int64(Self.span / 2)
        let frontier = asksBack ? first - Self.reachBack : floor
        var state = RepairState(
            highest: UInt16(truncatingIfNeeded: newest), frontier: UInt16(truncatingIfNeeded: frontier),
            highestRepair: UInt16(truncatingIfNeeded: highestRepair ?? 0),
            repairReceived: UInt16(truncatingIfNeeded: repairPackets))
        if asksBack { for index in 0..<Int(Self.reachBack) { state.setNeeded(index) } }
        forEachNeeded { state.setNeeded(Int($0 - frontier)) }
        return state
    }
}
