public import PetrelCore
internal import PetrelCongestion
internal import PetrelICE
public import PetrelMedia
public import PetrelSDP
internal import PetrelSecurity
internal import PetrelWire

extension Peer {
    // MARK: Tracks

    /// Adds a track of ours; it is sent once a following offer and answer have agreed on it.
    /// - Parameters:
    ///   - streamID: tracks of one stream are played in step by the other side; 1 to 64 token characters.
    /// - Throws: ``SDPError`` where the name is not fit for a session description.
    public func addTrack(_ kind: StreamKind, streamID: String) throws(SDPError) -> LocalTrackID {
        let ssrc = freshSSRC()
        let rtxSSRC = kind == .video ? freshSSRC(except: [ssrc]) : nil
        let repairSSRC = kind == .video ? freshSSRC(except: [ssrc, rtxSSRC ?? 0]) : nil
        let trackID = LocalTransport.randomName(16, using: &random)
        let track = try LocalTrack(
            streamID: streamID, trackID: trackID, ssrc: ssrc, rtxSSRC: rtxSSRC, repairSSRC: repairSSRC, cname: cname)
        let mediaKind: MediaKind = kind == .audio ? .audio : .video
        let transceiver: Int
        if let waiting = negotiator.transceivers.first(where: {
            $0.kind == mediaKind && $0.isFromRemote && $0.track == nil && !$0.isStopped
        }) {
            // The other side offered a section of this kind before: it takes our track.
            try negotiator.setTrack(track, of: waiting.id)
            try negotiator.setDirection(.sendrecv, of: waiting.id)
            transceiver = waiting.id
        } else {
            transceiver = try negotiator.addTransceiver(mediaKind, direction: .sendrecv, track: track)
        }
        let stream = SendStream(
            kind: kind, ssrc: ssrc, rtxSSRC: rtxSSRC, repairSSRC: repairSSRC, random: &random,
            start: configuration.streamStart)
        let id = LocalTrackID(number: senders.count)
        senders.append(Sender(id: id, stream: stream, transceiver: transceiver))
        return id
    }

    /// Asks for media of a kind without sending any.
    public func addReceivingSection(_ kind: StreamKind) throws(SDPError) {
        _ = try negotiator.addTransceiver(kind == .audio ? .audio : .video, direction: .recvonly)
    }

    /// Asks for nothing in the sections of our own tracks: the next offer has them as sendonly.
    public func sendOnly() throws(SDPError) {
        for sender in senders where !sender.isRemoved { try negotiator.setDirection(.sendonly, of: sender.transceiver) }
    }

    /// Stops a track of ours. The other side is told by the next offer; nothing is sent from now on.
    public func removeTrack(_ id: LocalTrackID) throws(SDPError) {
        guard senders.indices.contains(id.number), !senders[id.number].isRemoved else { return }
        senders[id.number].isRemoved = true
        senders[id.number].isActive = false
        pacer.removeAll(stream: Int32(truncatingIfNeeded: id.number))
        // Where the other side has ended the section, there is nothing left to stop.
        let transceiver = senders[id.number].transceiver
        guard let known = negotiator.transceiver(transceiver), !known.isStopped else { return }
        try negotiator.stop(transceiver)
    }

    /// Whether something was added or removed that the other side does not know of yet.
    public var needsNegotiation: Bool { negotiator.needsNegotiation }

    private func freshSSRC(except others: [UInt32] = []) -> UInt32 {
        while true {
            let ssrc = UInt32(truncatingIfNeeded: random.next())
            // Zero means "none" in feedback (RFC 4585), and no two streams of one key may share a source.
            if ssrc != 0, !others.contains(ssrc), sources[ssrc] == nil, !isOurs(ssrc) {
                return ssrc
            }
        }
    }

    // MARK: Addresses

    /// Tells a local address (an open socket) that may be used.
    /// - Returns: false where the address policy forbids it.
    @discardableResult
    public func addLocalAddress(_ address: TransportAddress, now: Instant) -> Bool {
        let verdict = agent.addLocalCandidate(address, now: now)
        collectICEEvents(now: now)
        return verdict == .accept
    }

    /// An interface has gone.
    public func removeLocalAddress(_ address: TransportAddress, now: Instant) {
        agent.removeLocalCandidate(address, now: now)
        collectICEEvents(now: now)
    }

    /// Says that all local addresses have been told.
    public func endOfLocalAddresses(now: Instant) {
        agent.endOfLocalCandidates(now: now)
        collectICEEvents(now: now)
    }

    /// Asks further STUN servers, once the first offer was made or later. What they tell comes as
    /// ``PeerEvent/localCandidate(_:mid:)``, and its end too.
    /// - Returns: how many of them are new and are asked.
    public func addSTUNServers(_ servers: [TransportAddress], now: Instant) -> Int {
        let count = agent.addServers(servers, now: now)
        if count > 0 { gatheringIsComplete = false }
        collectICEEvents(now: now)
        return count
    }

    /// Whether all candidates of ours are known, those from STUN servers included.
    public var hasGathered: Bool { gatheringIsComplete }

    // MARK: Offer and answer (RFC 9429)

    /// Makes an offer with the candidates known so far.
    public func createOffer(now: Instant) throws(SDPError) -> String {
        try refreshTransport()
        let offer = try negotiator.createOffer()
        try negotiator.applyLocal(offer, .offer)
        // RFC 8445 section 6.1.1: who makes the first offer controls.
        agent.assume(.controlling)
        if state == .new { change(to: .connecting) }
        return try offer.text()
    }

    /// Takes back an offer that was not answered.
    public func rollback() throws(SDPError) { try negotiator.rollback() }

    /// Applies the answer to our offer.
    /// - Throws: ``SDPError``; then everything is as it was.
    public func accept(answer text: String, now: Instant, into out: inout EgressBatch) throws(SDPError) {
        let answer = try SessionDescription(parsing: text, limits: configuration.description.limits)
        try negotiator.applyRemote(answer, .answer)
        apply(now: now, into: &out)
    }

    /// Applies an offer and makes the answer to it, with the candidates known so far.
    /// - Throws: ``SDPError``; then everything is as it was.
    public func answer(offer text: String, now: Instant, into out: inout EgressBatch) throws(SDPError) -> String {
        let offer = try SessionDescription(parsing: text, limits: configuration.description.limits)
        let before = negotiator
        do {
            try negotiator.applyRemote(offer, .offer)
            agent.assume(.controlled)
            if negotiator.remoteOfferRestartsICE {
                agent.restart(random: &random, now: now)
                gatheringIsComplete = false
                collectICEEvents(now: now)
            }
            try refreshTransport()
            let answer = try negotiator.createAnswer()
            try negotiator.applyLocal(answer, .answer)
            if state == .new { change(to: .connecting) }
            apply(now: now, into: &out)
            return try answer.text()
        } catch {
            negotiator = before
            throw error
        }
    }

    /// Takes a candidate of the other side, as `candidate:...`; an empty text or nil says that no more come.
    /// What cannot be used (host names, TCP, addresses that policy forbids) is ignored and counted.
    public func addRemoteCandidate(
        _ line: String?, mid: String? = nil, index: Int? = nil, now: Instant, into out: inout EgressBatch
    ) throws(SDPError) {
        guard let line, !line.isEmpty else {
            agent.endOfRemoteCandidates(now: now)
            return
        }
        guard case .candidate(let candidate) = CandidateLine(line) else {
            drops.count(.iceAddressRefused)
            return
        }
        guard try negotiator.accepts(candidateForMID: mid, index: index, ufrag: candidate.ufrag) else { return }
        if case .drop(let reason) = agent.addRemoteCandidate(candidate, now: now) { drops.count(reason) }
        agent.handleTimeout(now: now, random: &random, out: &out)
        settleICE(now: now, into: &out)
    }

    /// Begins an ICE restart: fresh credentials take effect with the next offer, the path in use lives on meanwhile.
    public func restartICE(now: Instant) throws(SDPError) {
        agent.restart(random: &random, now: now)
        gatheringIsComplete = false
        collectICEEvents(now: now)
        try refreshTransport()
    }

    /// Ends everything: says good-bye, closes the association, and stays silent from then on.
    public func close(now: Instant, into out: inout EgressBatch) {
        guard state != .closed else { return }
        sendBye(now: now, into: &out)
        if let dtls, let path { dtls.close { out.append($0.bytes, to: path.remote, from: path.local) } }
        agent.close(now: now)
        srtp = nil
        change(to: .closed)
    }

    // MARK: What follows from them

    /// Our credentials, certificate and candidates as the next description announces them.
    private func refreshTransport() throws(SDPError) {
        guard let fingerprint = PetrelSDP.Fingerprint(.sha256, configuration.certificate.fingerprint(.sha256).bytes)
        else { throw SDPError(.badArgument, "the certificate has no SHA-256 fingerprint") }
        var transport = try LocalTransport(
            iceUfrag: agent.localUfrag, icePassword: agent.localPassword, fingerprints: [fingerprint],
            isICELite: configuration.ice.isLite, tlsID: tlsID)
        let lines = agent.localCandidates.compactMap(\.attribute)
        try transport.setCandidates(lines, endOfCandidates: gatheringIsComplete)
        negotiator.transport = transport
    }

    /// Puts into force what offer and answer have agreed on.
    private func apply(now: Instant, into out: inout EgressBatch) {
        guard let session = negotiator.session else { return }
        remoteExtensions = .none
        for entry in session.extensions where entry.receives { remoteExtensions.set(entry.id, for: entry.kind.uri) }
        payloads = PayloadTable()
        usesReducedSizeRTCP = session.accepted.allSatisfy(\.reducedSizeRTCP) && !session.accepted.isEmpty
        usesTransportFeedback = session.accepted.contains { section in
            section.receiveCodecs.contains { $0.feedback.contains(.transportCC) }
        }
        applyReceiverEstimate(session)
        for section in session.sections { apply(section, now: now) }
        for index in senders.indices
        where !session.accepted.contains(where: { $0.transceiver == senders[index].transceiver }) {
            senders[index].isActive = false
        }
        applyRate()
        guard let transport = session.transport else { return }
        if transport.remoteUfrag != remoteUfrag {
            remoteUfrag = transport.remoteUfrag
            _ = agent.setRemoteCredentials(
                ufrag: transport.remoteUfrag, password: transport.remotePassword, isLite: transport.remoteIsICELite,
                now: now)
        }
        for line in transport.remoteCandidates {
            guard let candidate = ICECandidate(line) else {
                drops.count(.iceAddressRefused)
                continue
            }
            if case .drop(let reason) = agent.addRemoteCandidate(candidate, now: now) { drops.count(reason) }
        }
        if transport.remoteEndOfCandidates { agent.endOfRemoteCandidates(now: now) }
        startDTLS(transport, now: now, into: &out)
        agent.handleTimeout(now: now, random: &random, out: &out)
        settleICE(now: now, into: &out)
    }

    /// REMB as agreed: taken where a codec of ours to send has it; sent where one to receive has it, transport-wide
    /// feedback does not say more already, and packets bring the send times it is made from.
    private func applyReceiverEstimate(_ session: NegotiatedSession) {
        acceptsReceiverEstimate = session.accepted.contains { section in
            section.sends && section.sendCodecs.first?.feedback.contains(.remb) == true
        }
        if !acceptsReceiverEstimate { estimator.forgetRemoteEstimate() }
        let isAsked = session.accepted.contains { section in
            section.receives && section.receiveCodecs.contains { $0.feedback.contains(.remb) }
        }
        if !isAsked || usesTransportFeedback || remoteExtensions.absSendTime == 0 {
            receiverEstimator = nil
        } else if receiverEstimator == nil {
            receiverEstimator = ReceiverEstimator(configuration: configuration.bandwidth)
        }
    }

    private func apply(_ section: NegotiatedSection, now: Instant) {
        guard !section.isRejected else {
            for index in receivers.indices where receivers[index].section == section.index { end(receiver: index) }
            return
        }
        if let token = section.mid.flatMap({ ShortToken($0) }) { payloads.add(mid: token, section: section.index) }
        for codec in section.receiveCodecs {
            if payloads[codec.payloadType] == nil {
                payloads[codec.payloadType] = PayloadTable.Entry(section: section.index, original: nil)
            }
            if let rtx = codec.rtxPayloadType, payloads[rtx] == nil {
                payloads[rtx] = PayloadTable.Entry(section: section.index, original: codec.payloadType)
            }
            if let repair = codec.repairPayloadType, payloads[repair] == nil {
                payloads[repair] = PayloadTable.Entry(section: section.index, original: nil, isRepairCode: true)
            }
        }
        applySending(section)
        applyReceiving(section, now: now)
    }

    private func applySending(_ section: NegotiatedSection) {
        for index in senders.indices
        where senders[index].transceiver == section.transceiver && !senders[index].isRemoved {
            guard section.sends, let codec = section.sendCodecs.first else {
                senders[index].isActive = false
                continue
            }
            var map = RTPExtensionMap.none
            for entry in section.extensions where entry.sends { map.set(entry.id, for: entry.kind.uri) }
            // Without feedback there is nothing to number packets for.
            if !codec.feedback.contains(.transportCC) { map.transportSequenceNumber = 0 }
            senders[index].stream.configure(
                SendParameters(
                    payloadType: codec.payloadType, rtxPayloadType: codec.rtxPayloadType,
                    repairPayloadType: codec.repairPayloadType, extensions: map, mid: section.mid))
            senders[index].isActive = true
            // The repair code takes the place of requests: the two would pay for the same loss twice.
            senders[index].acceptsNack = codec.feedback.contains(.nack) && !senders[index].stream.usesRepairCode
        }
    }

    private func applyReceiving(_ section: NegotiatedSection, now: Instant) {
        guard section.receives else {
            for index in receivers.indices where receivers[index].section == section.index { end(receiver: index) }
            return
        }
        for receiver in receivers where receiver.section == section.index { configure(receiver.stream, section) }
        // Announced sources are bound now, so that their first packet needs neither MID nor a unique payload type.
        for source in section.remoteSources {
            if let known = sources[source.ssrc] {
                if case .media(let index) = known { bindRepair(of: source, to: index) }
                continue
            }
            guard !isOurs(source.ssrc) else {
                drops.count(.rtpUnknownSource)
                continue
            }
            guard let index = try? addReceiver(ssrc: source.ssrc, section: section.index, now: now) else { continue }
            bindRepair(of: source, to: index)
        }
        let announced = Set(section.remoteSources.map(\.ssrc))
        guard !announced.isEmpty else { return }
        for index in receivers.indices
        where receivers[index].section == section.index && !announced.contains(receivers[index].stream.ssrc) {
            end(receiver: index)
        }
    }

    private func bindRepair(of source: RemoteSource, to index: Int) {
        if let rtx = source.rtxSSRC { _ = sources.bind(rtx, to: .repair(index)) }
        if let code = source.repairSSRC { _ = sources.bind(code, to: .code(index)) }
    }

    func isOurs(_ ssrc: UInt32) -> Bool {
        senders.contains {
            $0.stream.ssrc == ssrc || $0.stream.rtxSSRC == ssrc || $0.stream.repairSSRC == ssrc
        }
    }

    func configure(_ stream: ReceiveStream, _ section: NegotiatedSection) {
        let feedback = section.receiveCodecs.first?.feedback ?? []
        // Audio that is asked for again comes too late for its short buffer.
        let hasRepair = section.receiveCodecs.first?.repairPayloadType != nil && stream.kind == .video
        stream.useRepair(hasRepair)
        stream.asksForMissing = feedback.contains(.nack) && stream.kind == .video && !hasRepair
        stream.asksForKeyFrames = feedback.contains(.pli)
    }

    // MARK: ICE and DTLS

    /// How often a flight of the handshake is repeated while it is young: at 30 % loss each of its four flights costs
    /// 0.4 of it on average. A flight is one datagram.
    static let handshakeInterval = TimeDelta.milliseconds(20)

    func collectICEEvents(now: Instant) {
        while let event = agent.nextEvent() {
            switch event {
            case .localCandidate(let candidate):
                events.append(.localCandidate(candidate.attribute, mid: firstMID))
            case .gatheringComplete:
                gatheringIsComplete = true
                events.append(.localCandidate(nil, mid: firstMID))
            case .stateChanged(let new):
                events.append(.iceStateChanged(new))
                follow(new)
            case .selectedPairChanged(let local, let remote):
                if let path = agent.sendPath {
                    events.append(.pathChanged(path))
                } else {
                    events.append(.pathChanged(ICEPath(local: local.address, remote: remote.address)))
                }
            case .roleChanged:
                break
            }
        }
    }

    private var firstMID: String? {
        negotiator.session?.accepted.first?.mid ?? negotiator.localDescription?.media.first?.mid
    }

    private func follow(_ ice: ICEState) {
        switch ice {
        case .failed: change(to: .failed, srtp == nil ? .noPath : .pathLost)
        case .disconnected: if state == .connected { change(to: .disconnected) }
        case .connected, .completed:
            // A restart finds a way again even where the path was given up.
            let isLost = state == .disconnected || state == .failed && failure?.isOfThePath ?? false
            if isLost, srtp != nil { change(to: .connected) }
        case .new, .checking, .closed: break
        }
    }

    /// What follows when the agent has moved: events, and the handshake once there is a way.
    func settleICE(now: Instant, into out: inout EgressBatch) {
        collectICEEvents(now: now)
        guard let path else { return }
        if milestones.pathFound == nil { milestones.pathFound = now }
        guard let dtls, !dtlsIsStarted else { return }
        dtlsIsStarted = true
        if dtlsRole == .client { handshakeBegan = now }
        dtls.start(now: now) { out.append($0.bytes, to: path.remote, from: path.local) }
        for bytes in earlyHandshake.take(remote: path.remote, local: path.local) {
            bytes.withUnsafeBytes { bytes in
                _ = dtls.receive(bytes, now: now) { out.append($0.bytes, to: path.remote, from: path.local) }
            }
        }
        settleDTLS(now: now, into: &out)
    }

    private func startDTLS(_ transport: NegotiatedTransport, now: Instant, into out: inout EgressBatch) {
        let fingerprints = transport.remoteFingerprints.compactMap { announced in
            PetrelSecurity.Fingerprint.Hash(name: announced.hash.rawValue).flatMap {
                PetrelSecurity.Fingerprint(hash: $0, bytes: announced.bytes)
            }
        }
        guard dtls == nil || transport.isNewAssociation && dtlsFingerprints != fingerprints else { return }
        var settings = DTLSEngine.Configuration()
        settings.labSeed = configuration.labSeed
        settings.mtu = SendStream.maximumDatagram
        settings.retransmission = Self.handshakeInterval
        let engine = DTLSEngine(
            role: transport.role == .client ? .client : .server, certificate: configuration.certificate,
            configuration: settings)
        dtls = engine
        dtlsRole = transport.role == .client ? .client : .server
        dtlsFingerprints = fingerprints
        dtlsIsStarted = false
        srtp = nil
        engine.expect(fingerprints: fingerprints, now: now) { _ in }
    }

    /// What follows when the handshake has moved: keys, or the end.
    func settleDTLS(now: Instant, into out: inout EgressBatch) {
        guard let dtls else { return }
        switch dtls.state {
        case .connected:
            guard srtp == nil else { return }
            guard let material = dtls.exportKeyingMaterial(), let session = try? SRTPSession(material, role: dtlsRole)
            else {
                change(to: .failed, .noKeys)
                return
            }
            srtp = session
            controlSources = ControlSources()
            milestones.secured = milestones.secured ?? now
            change(to: .connected)
            applyRate()
            receiveEarlyMedia(now: now, into: &out)
        case .failed(let failure):
            srtp = nil
            earlyMedia.removeAll()
            change(to: .failed, .security(failure))
        case .closed:
            srtp = nil
            change(to: .failed, .closedByRemote)
            // RFC 7675 section 5.2: an authenticated end of the association revokes consent, checks included.
            agent.consentRevoked(now: now)
            collectICEEvents(now: now)
        case .new, .connecting:
            break
        }
    }
}
