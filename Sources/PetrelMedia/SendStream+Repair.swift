public import PetrelCongestion
public import PetrelCore
public import PetrelWire

extension SendStream {
    /// Bytes that a repair packet has beyond a media packet of the same payload, at the most: its own header and that of
    /// a symbol.
    static let repairOverhead = RepairCode.headerLength + RepairCode.symbolHeaderLength

    /// Whether lost packets are repaired by the sliding-window code.
    public var usesRepairCode: Bool { parameters.repairPayloadType != nil && repairSSRC != nil }

    /// Notes a frame that was cut into these packets.
    /// - Returns: how many repair packets go with it.
    public func planRepair(
        _ packets: ClosedRange<Int64>, isKeyFrame: Bool, by controller: RepairController, now: Instant
    ) -> Int {
        ledger.frameSent(packets, isKeyFrame: isKeyFrame, by: controller, now: now)
    }

    /// Takes in what the other side says it lacks.
    /// - Parameter send: told how many repair packets to send and the last packet they cover.
    /// - Throws: `rtcpImplausible` where that tells of what was never sent.
    public func receive(
        _ report: RepairFeedback, by controller: RepairController, now: Instant, send: (Int, Int64) -> Void
    ) throws(DropReason) {
        try ledger.receive(report, next: nextSequence, by: controller, now: now, send: send)
    }

    /// Writes a repair packet into its datagram slot: it covers what may still be missing up to `end`.
    /// - Returns: its length before encryption; nil where nothing of that is missing any more.
    public func releaseRepair(
        through end: Int64, into slot: UnsafeMutableRawBufferPointer, now: Instant, number: (Int) -> UInt16
    ) -> Int? {
        guard let payloadType = parameters.repairPayloadType, let repairSSRC else { return nil }
        guard let (sequence, window) = ledger.release(end: end, now: now) else { return nil }
        let extensions = RTPExtensions(mid: midToken, absSendTime: AbsSendTime(bits: 0), transportSequenceNumber: 0)
        var offsets = RTPExtensionOffsets()
        guard
            let headerLength = RTPHeader.write(
                into: slot, payloadType: payloadType, sequenceNumber: sequence,
                timestamp: lastCapture?.timestamp ?? 0, ssrc: repairSSRC, extensions: extensions,
                map: parameters.extensions, offsets: &offsets)
        else { return nil }
        let payload = UnsafeMutableRawBufferPointer(rebasing: slot[headerLength...])
        guard let written = writeRepair(sequence, window, into: payload) else { return nil }
        let length = headerLength + written
        offsets.patch(absSendTime: AbsSendTime(now), in: slot)
        if offsets.transportSequenceNumber != 0 {
            offsets.patch(transportSequenceNumber: number(length), in: slot)
        }
        countRepair(header: headerLength, payload: written)
        return length
    }

    /// Writes the payload of a repair packet over the packets of `window`.
    /// - Returns: its length; nil where one of them is no longer here or it does not fit.
    func writeRepair(
        _ sequence: UInt16, _ window: ClosedRange<Int64>, into slot: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard slot.count >= RepairCode.headerLength, window.count <= RepairCode.maximumWindow else { return nil }
        var longest = 0
        for media in window {
            guard let layout = history.layout(media) else { return nil }
            longest = max(longest, layout.length - layout.headerLength)
        }
        let length = RepairCode.headerLength + RepairCode.symbolHeaderLength + longest
        guard length <= slot.count, longest <= RepairCode.maximumSymbol - RepairCode.symbolHeaderLength else {
            return nil
        }
        slot[0] = 0
        slot[1] = UInt8(truncatingIfNeeded: window.count)
        slot.storeBytes(
            of: UInt16(truncatingIfNeeded: window.lowerBound).bigEndian, toByteOffset: 2, as: UInt16.self)
        let symbol = UnsafeMutableRawBufferPointer(rebasing: slot[RepairCode.headerLength..<length])
        symbol.initializeMemory(as: UInt8.self, repeating: 0)
        let body = UnsafeMutableRawBufferPointer(rebasing: symbol[RepairCode.symbolHeaderLength...])
        let head = repairHead.slot(0)
        for media in window {
            guard let layout = history.layout(media) else { return nil }
            let packet = history.bytes(layout)
            let payload = UnsafeRawBufferPointer(rebasing: packet[layout.headerLength...])
            let factor = RepairCode.coefficient(repair: sequence, sequence: UInt16(truncatingIfNeeded: media))
            RepairSymbol.write(
                into: head, payloadLength: payload.count, marker: packet[1] & 0x80 != 0, payloadType: packet[1] & 0x7F,
                timestamp: UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            GF256.multiplyAdd(
                symbol, UnsafeRawBufferPointer(rebasing: head[..<RepairCode.symbolHeaderLength]), factor: factor)
            GF256.multiplyAdd(body, payload, factor: factor)
        }
        return length
    }

    /// The first packet that repair covers, and repair packets that were asked for and refused.
    public var repairBase: Int64 { ledger.base }
    public var repairRefused: UInt64 { ledger.refused }
    /// What the other side last said of this stream.
    public var lastRepairReport: RepairFeedback? { ledger.lastReport }
}
