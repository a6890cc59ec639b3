internal import PetrelCongestion
public import PetrelCore
internal import PetrelMedia

/// Copies of packets of sound that leave a little later than the packets themselves.
///
/// A ring: it never allocates after its creation.
struct AudioCopies {
    /// Copies that wait at once: each waits for 20 ms at the most, and a track has 50 packets a second. Beyond it copies
    /// are left out.
    static let limit = 64

    private var ring = [Entry](repeating: Entry(due: .zero, stream: 0, sequence: 0), count: AudioCopies.limit)
    private var head = 0
    private var count = 0

    struct Entry {
        var due: Instant
        var stream: Int32
        var sequence: Int64
    }

    /// When the next copy is due.
    var nextDeadline: Instant { count == 0 ? .distantFuture : ring[head].due }

    /// Plans the copies of a packet that leaves at `now`.
    mutating func plan(stream: Int32, sequence: Int64, copies: Int, now: Instant) {
        guard copies > 1 else { return }
        for copy in 1..<copies {
            guard count < Self.limit else { return }
            // In order of time: copies of packets 20 ms apart interleave.
            let entry = Entry(due: now + RepairController.copyInterval * copy, stream: stream, sequence: sequence)
            var place = count
            while place > 0, ring[(head + place - 1) % Self.limit].due > entry.due {
                ring[(head + place) % Self.limit] = ring[(head + place - 1) % Self.limit]
                place -= 1
            }
            ring[(head + place) % Self.limit] = entry
            count += 1
        }
    }

    mutating func takeDue(now: Instant) -> Entry? {
        guard count > 0, ring[head].due <= now else { return nil }
        let entry = ring[head]
        head = (head + 1) % Self.limit
        count -= 1
        return entry
    }
}

extension Peer {
    /// Decides how the next packet of sound is protected.
    func planAudio(_ stream: SendStream, packetBytes: Int) -> RedundancyOffsets {
        audioPlan = RepairController.audioPlan(
            link: audioLink, prior: openingLoss, packetBytes: packetBytes, budget: estimator.target,
            takesRedundancy: stream.parameters.redPayloadType != nil)
        return audioPlan.offsets
    }

    /// The path as far as packets of sound can tell.
    private var audioLink: LinkState {
        var link = linkState
        if link.samples == 0, let reported = network.remoteFractionLost {
            // No feedback on single packets: receiver reports tell the share of them.
            link.loss = reported
            link.samples = 100
        }
        // Copies travel under one number, so that what feedback calls lost was lost every time.
        if !sendsVideo { link.loss = RepairController.pathLoss(observed: link.loss, copies: audioPlan.copies) }
        return link
    }

    private var sendsVideo: Bool { senders.contains { $0.isActive && $0.sentAny && $0.stream.kind == .video } }

    /// Whether what feedback says of a packet tells the loss of the path: a packet that was sent more than once does not,
    /// where others do.
    func tellsLoss(_ entry: SentPacketLog.Entry) -> Bool {
        entry.packetClass != .audio || audioPlan.copies == 1 || !sendsVideo
    }

    /// Tells how long sound of a track waits for its playout (``AudioReceiver/targetDelay``): what cannot come again in
    /// that time is not asked for.
    public func setPlayoutDelay(_ delay: TimeDelta, of track: RemoteTrackID) {
        guard let receiver = receivers.first(where: { $0.id == track }), receiver.stream.kind == .audio else { return }
        receiver.stream.playoutDelay = delay
    }
}
