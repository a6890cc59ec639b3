public import PetrelCore
public import PetrelWire

extension ReceiveStream {
    /// Lets the repair code see a media packet that came as it was sent.
    public func noteForRepair(_ packet: UnsafeRawBufferPointer, header: RTPHeader, now: Instant) {
        guard let repair else { return }
        repair.receive(
            sequenceNumber: header.sequenceNumber, marker: header.marker, payloadType: header.payloadType,
            timestamp: header.timestamp, payload: UnsafeRawBufferPointer(rebasing: packet[header.payloadRange]))
        repairReports.received(isLacking: repair.deficit > 0, now: now)
    }

    /// Takes in a packet of the repair code. What follows from it is fetched with ``nextRecovered(into:)``.
    public func receiveRepair(_ packet: UnsafeRawBufferPointer, header: RTPHeader, now: Instant) throws(DropReason) {
        guard let repair else { throw .rtpUnknownPayloadType }
        statistics.fecPacketsReceived &+= 1
        defer { repairReports.received(isLacking: repair.deficit > 0, now: now) }
        try repair.receive(
            repair: header.sequenceNumber, payload: UnsafeRawBufferPointer(rebasing: packet[header.payloadRange]))
    }

    /// The next packet that was brought back, written as the RTP packet it was but for its header extensions.
    /// - Returns: its length.
    public func nextRecovered(into slot: UnsafeMutableRawBufferPointer) -> Int? {
        guard let packet = repair?.nextRecovered(into: slot, at: RTPHeader.fixedLength) else { return nil }
        guard
            RTPHeader.write(
                into: slot, marker: packet.marker, payloadType: packet.payloadType,
                sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp, ssrc: ssrc) != nil
        else { return nil }
        statistics.packetsRecovered &+= 1
        return packet.payload.upperBound
    }

    /// What the sender must be told now, if it is time.
    public func repairReport(roundTrip: TimeDelta, now: Instant) -> RepairFeedback? {
        arrivalLoss.note(roundTrip: roundTrip)
        guard let repair, repairReports.next <= now, let state = repair.state else { return nil }
        repairReports.sent(isLacking: state.deficit > 0, now: now)
        return RepairFeedback(
            mediaSSRC: ssrc, state: state, newestPicture: repairReports.newestPicture,
            earlierPictures: repairReports.earlierPictures)
    }
}
