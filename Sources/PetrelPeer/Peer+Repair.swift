internal import PetrelCongestion
internal import PetrelCore
internal import PetrelMedia
internal import PetrelWire

extension Peer {
    /// Brings the repair controller up to what is known of the path.
    func updateRepairControl() { repairControl.update(link: linkState, prior: openingLoss) }

    /// Plans the repair packets that go with a frame at once.
    func protect(_ packets: ClosedRange<Int64>, isKeyFrame: Bool, sender index: Int, now: Instant) {
        let stream = senders[index].stream
        updateRepairControl()
        let count = stream.planRepair(packets, isKeyFrame: isKeyFrame, by: repairControl, now: now)
        enqueueRepair(count, through: packets.upperBound, sender: index, as: .video, now: now)
    }

    private func enqueueRepair(
        _ count: Int, through end: Int64, sender index: Int, as packetClass: PacketClass, now: Instant
    ) {
        guard count > 0, let length = senders[index].stream.length(of: end) else { return }
        for _ in 0..<count {
            let item = Pacer.Item(
                stream: Int32(truncatingIfNeeded: index), sequence: end, bytes: Int32(truncatingIfNeeded: length),
                enqueued: now, isRepair: true)
            if !pacer.enqueue(item, as: packetClass) { drops.count(.sendQueueFull) }
        }
    }

    /// Takes in a report of the other side about what it lacks; repair of older frames goes before new ones.
    func apply(_ application: RTCPApplication, now: Instant) {
        do throws(DropReason) {
            guard let report = try RepairFeedback(application) else { return }
            guard let index = sender(report.mediaSSRC), senders[index].stream.usesRepairCode else {
                throw .rtcpUnknownSource
            }
            let stream = senders[index].stream
            updateRepairControl()
            if let newest = report.newestPicture {
                acknowledge(sender: index, newest: newest, earlier: report.earlier, count: 32)
            }
            let refused = stream.repairRefused
            try stream.receive(report, by: repairControl, now: now) { count, end in
                enqueueRepair(count, through: end, sender: index, as: .retransmission, now: now)
            }
            if stream.repairRefused > refused { drops.count(.repairUnjustified) }
        } catch { drops.count(error) }
    }
}
