internal import PetrelCongestion
public import PetrelCore
internal import PetrelICE
internal import PetrelMedia
internal import PetrelSDP
internal import PetrelSecurity
internal import PetrelWire

extension Peer {
    /// Sources taken on in one section. A track has one; a sender that begins anew has a second for a while.
    static let sourcesPerSection = 4
    /// A source silent for so long may be replaced when its section is full.
    static let silentSource = TimeDelta.seconds(2)

    /// Takes in one datagram.
    ///
    /// The order is: what kind is it, may that address send it, is it authentic; only then does any state move.
    /// - Parameter bytes: decrypted in place.
    @discardableResult
    public func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant,
        into out: inout EgressBatch
    ) -> Verdict {
        guard state != .closed else {
            // RFC 7675 section 5.2: a peer that did not hear the end of the association is told by 403 when it asks. The
            // agent answers whoever has the password, and nothing else happens any more.
            let view = UnsafeRawBufferPointer(bytes)
            guard Demultiplexer.classify(view.bytes) == .stun else { return .accept }
            return agent.receive(view.bytes, from: remote, to: local, now: now, random: &random, out: &out)
        }
        network.datagramsReceived &+= 1
        network.bytesReceived &+= UInt64(clamping: bytes.count)
        do {
            try dispatch(bytes, from: remote, to: local, now: now, into: &out)
        } catch {
            drops.count(error)
            return .drop(error)
        }
        return .accept
    }

    private func dispatch(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant,
        into out: inout EgressBatch
    ) throws(DropReason) {
        let view = UnsafeRawBufferPointer(bytes)
        switch Demultiplexer.classify(view.bytes) {
        case .stun:
            let verdict = agent.receive(view.bytes, from: remote, to: local, now: now, random: &random, out: &out)
            settleICE(now: now, into: &out)
            if case .drop(let reason) = verdict { throw reason }
        case .dtls:
            // RFC 8827 section 6.3: nothing but ICE before the address is verified.
            guard isValidated(remote: remote, local: local) else {
                if dtls == nil || dtls?.state == .new || dtls?.state == .connecting {
                    earlyHandshake.keep(view, from: remote, to: local)
                }
                throw .unvalidatedAddress
            }
            try receiveDTLS(view, now: now, into: &out)
        case .rtp:
            guard isValidated(remote: remote, local: local) else { throw .unvalidatedAddress }
            if awaitsKeys, earlyMedia.keep(view, from: remote, to: local) { return }
            try receiveRTP(bytes, from: remote, local: local, now: now)
        case .rtcp:
            guard isValidated(remote: remote, local: local) else { throw .unvalidatedAddress }
            if awaitsKeys, earlyMedia.keep(view, from: remote, to: local) { return }
            try receiveRTCP(bytes, from: remote, local: local, now: now, into: &out)
        default:
            throw .unknownPacketKind
        }
    }

    /// Whether datagrams other than STUN are taken from there: the path in use is looked at first, without a copy of
    /// the agent.
    private func isValidated(remote: TransportAddress, local: TransportAddress) -> Bool {
        agent.sendPath == ICEPath(local: local, remote: remote) || agent.isValidated(remote: remote, local: local)
    }

    // MARK: DTLS

    func receiveDTLS(_ bytes: UnsafeRawBufferPointer, now: Instant, into out: inout EgressBatch) throws(DropReason) {
        guard let dtls, let path else { throw .dtlsBeforeValidPair }
        let verdict = dtls.receive(bytes, now: now) { out.append($0.bytes, to: path.remote, from: path.local) }
        if handshakeBegan == nil, case .accept = verdict { handshakeBegan = now }
        settleDTLS(now: now, into: &out)
        if case .drop(let reason) = verdict { throw reason }
    }

    /// Whether the handshake is still on its way to the first keys.
    private var awaitsKeys: Bool { srtp == nil && (dtls?.state == .new || dtls?.state == .connecting) }

    /// Takes in what came before the keys.
    func receiveEarlyMedia(now: Instant, into out: inout EgressBatch) {
        guard srtp != nil else { return earlyMedia.removeAll() }
        let slot = SlotMemory(count: 1, slotSize: EarlyMedia.maximumLength)
        for (index, entry) in earlyMedia.entries.enumerated() {
            guard let bytes = earlyMedia.copy(index, into: slot.slot(0)) else { continue }
            do {
                try dispatch(bytes, from: entry.remote, to: entry.local, now: now, into: &out)
            } catch { drops.count(error) }
        }
        earlyMedia.removeAll()
    }

    // MARK: RTP

    private func receiveRTP(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, local: TransportAddress, now: Instant
    ) throws(DropReason) {
        guard let srtp else { throw .srtpNoKeys }
        let preview = try RTPHeader(parsingHeaderOf: UnsafeRawBufferPointer(bytes).bytes)
        // Before paying for decryption: a payload type that was never negotiated is nobody's.
        guard let payload = payloads[preview.payloadType] else { throw .rtpUnknownPayloadType }
        let length: Int
        do throws(DropReason) { length = try srtp.openRTP(bytes, length: bytes.count) } catch {
            // A copy of what came before has come as well, though it tells nothing: not counted, it would look lost.
            if error == .srtpReplay { network.mediaPacketsReceived &+= 1 }
            throw error
        }
        agent.mediaReceived(from: remote, to: local, now: now)
        let packet = UnsafeRawBufferPointer(rebasing: bytes[..<length])
        plaintextTap?(packet, remote, local)
        let header = try RTPHeader(parsing: packet.bytes)
        let extensions = RTPExtensions(reading: packet.bytes, header: header, map: remoteExtensions)
        if usesTransportFeedback, let number = extensions.transportSequenceNumber { arrivals.record(number, now: now) }
        if receiverEstimator != nil, let sent = extensions.absSendTime {
            receiverEstimator?.add(sent: sent, bytes: bytes.count, roundTrip: roundTripTime, now: now)
        }
        network.mediaPacketsReceived &+= 1
        let found: SourceTable.Role?
        do throws(DropReason) {
            found = try role(of: header, payload: payload, extensions: extensions, now: now)
        } catch {
            forget(header.ssrc, srtp)
            throw error
        }
        guard let role = found else {
            forget(header.ssrc, srtp)
            throw .rtpUnknownSource
        }
        switch role {
        case .media(let index):
            try deliver(packet, header: header, extensions: extensions, to: index, isRepair: false, now: now)
            recover(index, packet, header, now: now)
        case .code(let index):
            receivers[index].lastPacket = now
            defer { deliverRecovered(index, now: now) }
            try receivers[index].stream.receiveRepair(packet, header: header, now: now)
        case .repair(let index):
            guard let original = payload.original else { throw .rtxWithoutOriginal }
            let slot = scratch.slot(0)
            let stream = receivers[index].stream
            guard
                let length = try RTX.unwrap(
                    packet.bytes, header: header, into: slot, payloadType: original, ssrc: stream.ssrc)
            else { return }
            // The inner packet goes through the same door, once: an original can never be a retransmission again.
            let inner = UnsafeRawBufferPointer(rebasing: slot[..<length])
            let innerHeader = try RTPHeader(parsing: inner.bytes)
            try deliver(inner, header: innerHeader, extensions: extensions, to: index, isRepair: true, now: now)
        }
    }

    /// Lets the repair code see a media packet, and delivers what follows from it.
    private func recover(_ index: Int, _ packet: UnsafeRawBufferPointer, _ header: RTPHeader, now: Instant) {
        guard receivers[index].stream.repair != nil else { return }
        receivers[index].stream.noteForRepair(packet, header: header, now: now)
        deliverRecovered(index, now: now)
    }

    /// What the repair code brought back goes through the door of what came by itself: header, payload type and payload
    /// are looked at again.
    private func deliverRecovered(_ index: Int, now: Instant) {
        let slot = scratch.slot(0)
        let stream = receivers[index].stream
        while let length = stream.nextRecovered(into: slot) {
            let packet = UnsafeRawBufferPointer(rebasing: slot[..<length])
            do throws(DropReason) {
                let header = try RTPHeader(parsing: packet.bytes)
                guard let payload = payloads[header.payloadType], payload.original == nil, !payload.isRepairCode,
                    payload.section == receivers[index].section
                else { throw .rtpUnknownPayloadType }
                try deliver(packet, header: header, extensions: RTPExtensions(), to: index, isRepair: true, now: now)
            } catch { drops.count(error) }
        }
    }

    /// Lets go what was kept to open a packet of a source that nobody wants.
    private func forget(_ ssrc: UInt32, _ srtp: SRTPSession) {
        if sources[ssrc] == nil, !controlSources.contains(ssrc) { srtp.forgetInbound(ssrc: ssrc) }
    }

    private func deliver(
        _ packet: UnsafeRawBufferPointer, header: RTPHeader, extensions: RTPExtensions, to index: Int, isRepair: Bool,
        now: Instant
    ) throws(DropReason) {
        receivers[index].lastPacket = now
        receivers[index].hasEnded = false
        let id = receivers[index].id
        let stream = receivers[index].stream
        // Who sends nothing reports too (RFC 3550 section 6.4.2). Who does begins with its first packet, which its first
        // report speaks of.
        if reports.next == .distantFuture, !senders.contains(where: \.isActive) { reports.start(now: now) }
        switch stream.kind {
        case .audio:
            if milestones.firstAudioPacket == nil { milestones.firstAudioPacket = now }
            try stream.receiveAudio(
                packet, header: header, extensions: extensions, isRepair: isRepair,
                redundancyOf: payloads[header.payloadType]?.blocks, now: now
            ) { events.append(.audioPacket(id, $0)) }
        case .video:
            if milestones.firstVideoPacket == nil { milestones.firstVideoPacket = now }
            // Frames may become whole by a packet that is itself dropped as a duplicate, so ask in any case.
            defer { deliverFrames(of: stream, id: id, now: now) }
            try stream.receiveVideo(packet, header: header, extensions: extensions, isRepair: isRepair, now: now)
        }
    }

    private func deliverFrames(of stream: ReceiveStream, id: RemoteTrackID, now: Instant) {
        while let frame = stream.nextFrame(now: now) {
            if milestones.firstVideoFrame == nil { milestones.firstVideoFrame = now }
            events.append(.videoFrame(id, frame))
        }
    }

    /// Which stream an authentic packet belongs to: by its source where that is known, else by its MID, else by its
    /// payload type (RFC 9143 section 9.2).
    private func role(
        of header: RTPHeader, payload: PayloadTable.Entry, extensions: RTPExtensions, now: Instant
    ) throws(DropReason) -> SourceTable.Role? {
        if let known = sources[header.ssrc] {
            // A source that changes from media to retransmissions or back is not believed.
            switch known {
            case .media where payload.original == nil && !payload.isRepairCode: return known
            case .repair where payload.original != nil: return known
            case .code where payload.isRepairCode: return known
            default: return nil
            }
        }
        // Our own source cannot come from the other side: a loop, or a lie (RFC 3550 section 8.2).
        guard !isOurs(header.ssrc) else { throw .rtpUnknownSource }
        var section = payload.section
        if let mid = extensions.mid {
            guard let named = payloads.section(mid: mid) else { throw .rtpUnknownSource }
            // Sections of one kind may share payload types; audio in a video section is nobody's.
            guard kind(ofSection: named) == kind(ofSection: section) else { throw .rtpUnknownPayloadType }
            section = named
        }
        if payload.original != nil || payload.isRepairCode {
            // Retransmissions bind to the newest source of their section: there is nothing else they can repair.
            guard let index = receivers.lastIndex(where: { $0.section == section && !$0.hasEnded }) else { return nil }
            let role: SourceTable.Role = payload.isRepairCode ? .code(index) : .repair(index)
            guard sources.bind(header.ssrc, to: role) else { throw .rtpSourceLimit }
            return role
        }
        return .media(try addReceiver(ssrc: header.ssrc, section: section, now: now))
    }

    private func kind(ofSection index: Int) -> MediaKind? {
        negotiator.session?.sections.first { $0.index == index }?.kind
    }

    /// Takes on a source that its section did not announce, or announced without its stream being there yet.
    func addReceiver(ssrc: UInt32, section: Int, now: Instant) throws(DropReason) -> Int {
        guard let description = negotiator.session?.sections.first(where: { $0.index == section }),
            description.receives, let kind = StreamKind(rawValue: description.kind.name)
        else { throw .rtpUnknownSource }
        let active = receivers.indices.filter { receivers[$0].section == section && !receivers[$0].hasEnded }
        if active.count >= Self.sourcesPerSection {
            guard let oldest = active.min(by: { receivers[$0].lastPacket < receivers[$1].lastPacket }),
                now - receivers[oldest].lastPacket > Self.silentSource
            else { throw .rtpSourceLimit }
            end(receiver: oldest)
        }
        // A place that has become free is used again, and so is its stream where the same source speaks again: what a
        // peer can make us hold does not grow with its good-byes.
        let ended = receivers.indices.filter { receivers[$0].section == section && receivers[$0].hasEnded }
        let index = ended.first { receivers[$0].stream.ssrc == ssrc } ?? ended.first ?? receivers.count
        guard sources.bind(ssrc, to: .media(index)) else { throw .rtpSourceLimit }
        let id = RemoteTrackID(number: nextRemoteTrack)
        nextRemoteTrack += 1
        let stream: ReceiveStream
        if index < receivers.count, receivers[index].stream.ssrc == ssrc, receivers[index].stream.kind == kind {
            stream = receivers[index].stream
        } else {
            stream = ReceiveStream(kind: kind, ssrc: ssrc)
        }
        let receiver = Receiver(id: id, stream: stream, section: section, lastPacket: now)
        if index < receivers.count { receivers[index] = receiver } else { receivers.append(receiver) }
        configure(stream, description)
        let name = description.remoteStreams.first?.stream
        events.append(.trackAdded(id, kind, mid: description.mid, stream: name))
        return index
    }

    func end(receiver index: Int) {
        guard !receivers[index].hasEnded else { return }
        receivers[index].hasEnded = true
        sources.removeAll(receiver: index)
        events.append(.trackRemoved(receivers[index].id))
    }
}

extension Peer {
    /// The decoder of a track could not use what it got: nothing more of it is handed out before a key frame, which is
    /// asked for.
    public func requireKeyFrame(_ track: RemoteTrackID) {
        receivers.first { $0.id == track }?.stream.requireKeyFrame()
    }
}
