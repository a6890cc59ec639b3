extension Negotiator {
    /// The answer to the other side's pending offer (RFC 9429 section 5.3), to be applied by ``applyLocal(_:_:)`` and
    /// sent. It holds nothing that the offer lacks: no codec, feedback, extension, attribute or section.
    /// - Throws: ``SDPError/Reason/wrongState`` without a pending offer; ``SDPError/Reason/freshCredentialsNeeded`` where
    ///   the offer restarts ICE (``remoteOfferRestartsICE``) and ``transport`` has not been renewed.
    public func createAnswer() throws(SDPError) -> SessionDescription {
        guard state == .haveRemoteOffer, let pending, let offer = pending.remote else {
            throw SDPError(.wrongState, "an answer without an offer of the other side")
        }
        let transport = try answerTransport(pending)
        let plan = try OfferPlan(offer, self, slots: pending.slots)
        var answer = SessionDescription(origin: Origin(sessionID: sessionID, sessionVersion: 1))
        for (index, offered) in offer.media.enumerated() {
            guard plan.accepted.contains(index), let slot = pending.slots[at: index],
                let transceiver = self.transceiver(of: slot), let remote = plan.transport
            else {
                answer.media.append(Self.declined(offered))
                continue
            }
            let offersMixed = offer.allowsMixedExtensions || offered.allowsMixedExtensions
            var section = answeredSection(
                offered, transceiver, offer: offer, mixed: offersMixed && configuration.allowsMixedExtensions)
            section.announce(
                transport, setup: setup(answering: remote, with: transport),
                tlsID: remote.tlsID == nil ? nil : transport.tlsID)
            if index == plan.transportIndex {
                (section.candidates, section.endOfCandidates) = (transport.candidates, transport.endOfCandidates)
            }
            answer.media.append(section)
        }
        answer.isICELite = transport.isICELite
        answer.allowsMixedExtensions =
            configuration.allowsMixedExtensions && offer.allowsMixedExtensions && !plan.accepted.isEmpty
        if !plan.bundledMIDs.isEmpty {
            answer.groups = [SectionGroup(semantics: "BUNDLE", mids: plan.bundledMIDs)]
        }
        return versioned(answer)
    }

    /// The answer that an offer would get now, without anything being changed.
    public func createAnswer(to offer: SessionDescription) throws(SDPError) -> SessionDescription {
        var copy = self
        try copy.applyRemote(offer, .offer)
        return try copy.createAnswer()
    }

    /// Whether the other side's pending offer restarts ICE, so that our answer needs fresh credentials (RFC 8839
    /// section 4.4.1.1.1): set ``transport``.
    public var remoteOfferRestartsICE: Bool {
        guard state == .haveRemoteOffer, let pending, let offer = pending.remote, let before = session?.transport,
            let plan = try? OfferPlan(offer, self, slots: pending.slots), let remote = plan.transport
        else { return false }
        return before.remoteUfrag != remote.iceUfrag
    }

    /// Our end in the answer: what we announced before, unless the offer restarts ICE or there was no transport.
    func answerTransport(_ pending: Agreement) throws(SDPError) -> LocalTransport {
        guard session?.transport != nil, var before = agreed.localTransport else { return transport }
        if remoteOfferRestartsICE {
            guard before.iceUfrag != transport.iceUfrag, before.icePassword != transport.icePassword else {
                throw SDPError(
                    .freshCredentialsNeeded, "the offer restarts ICE, our credentials are still the old ones")
            }
            return transport
        }
        if before.iceUfrag == transport.iceUfrag {
            try before.setCandidates(transport.candidates, endOfCandidates: transport.endOfCandidates)
        }
        return before
    }

    /// Our side of a=setup: the roles of an association in use stay (RFC 8842 section 5.3).
    private func setup(answering remote: TransportDescription, with ours: LocalTransport) -> SetupRole {
        switch remote.setup {
        case .actpass:
            if let before = session?.transport, !before.isNewAssociation(remote),
                !agreed.localTransport.isNewAssociation(ours)
            {
                return before.role == .client ? .active : .passive
            }
            return configuration.preferredRole == .client ? .active : .passive
        case .passive: return .active
        default: return .passive
        }
    }

    static func declined(_ offered: MediaSection) -> MediaSection {
        var section = MediaSection(
            kind: offered.kind, port: 0, transportProtocol: offered.transportProtocol, formats: offered.formats)
        section.connection = SectionRules.noAddress
        section.mid = offered.mid
        if section.isRTP { section.direction = .inactive }
        return section
    }

    private func answeredSection(
        _ offered: MediaSection, _ transceiver: Transceiver, offer: SessionDescription, mixed: Bool
    ) -> MediaSection {
        var section = MediaSection(
            kind: offered.kind, port: 9, transportProtocol: offered.transportProtocol, formats: [])
        section.connection = SectionRules.noAddress
        section.mid = offered.mid
        section.hasRTCPMux = offered.hasRTCPMux
        section.hasReducedSizeRTCP = offered.hasReducedSizeRTCP && configuration.reducedSizeRTCP
        section.allowsMixedExtensions = offered.allowsMixedExtensions && configuration.allowsMixedExtensions
        let direction = transceiver.possibleDirection.intersection(offer.effectiveDirection(of: offered).reversed)
        section.direction = direction
        if let limit = configuration.receiveKilobitsPerSecond {
            section.bandwidths = [BandwidthLimit(type: "AS", value: limit)]
        }
        let (hasRTX, hasRepair) = answerCodecs(&section, offered)
        answerExtensions(&section, offered, offer, mixed)
        if direction.sends, let track = transceiver.track {
            section.announce(track, withRTX: hasRTX, withRepair: hasRepair)
        }
        return section
    }

    /// Our codecs among the offered ones, in the offer's order and by its numbers; whether there are retransmissions and the
    /// repair code.
    private func answerCodecs(
        _ section: inout MediaSection, _ offered: MediaSection
    ) -> (hasRTX: Bool, hasRepair: Bool) {
        var hasRTX = false
        var hasRepair = false
        var taken: Set<CodecName> = []
        for payloadType in offered.payloadTypes {
            guard let codec = offered.codec(of: payloadType), !taken.contains(codec),
                let capability = configuration.codecs(offered.kind).first(where: { $0.codec == codec })
            else { continue }
            taken.insert(codec)
            let theirs = FeedbackKinds(in: offered, payloadType: payloadType)
            section.add(capability, payloadType: payloadType, feedback: capability.feedback.intersection(theirs))
            if capability.rtxPayloadType != nil, let rtx = offered.rtxPayloadType(of: payloadType) {
                section.addRTX(rtx, of: payloadType, codec)
                hasRTX = true
            }
            if !hasRepair, capability.repairPayloadType != nil, let repair = offered.repairPayloadType {
                section.addRepair(repair)
                hasRepair = true
            }
        }
        return (hasRTX, hasRepair)
    }

    private func answerExtensions(
        _ section: inout MediaSection, _ offered: MediaSection, _ offer: SessionDescription, _ mixed: Bool
    ) {
        var taken: Set<String> = []
        for map in offered.extensions + offer.extensions {
            guard map.id <= 14 || mixed, !taken.contains(map.uri),
                configuration.extensions(offered.kind).contains(where: { $0.kind.uri == map.uri })
            else { continue }
            if map.uri == NegotiableExtension.mid.uri,
                (offered.mid?.utf8.count ?? .max) > SectionRules.longestMIDOnTheWire
            {
                continue
            }
            let direction = (map.direction ?? .sendrecv).reversed
            guard direction != .inactive, !section.extensions.contains(where: { $0.id == map.id }) else { continue }
            taken.insert(map.uri)
            section.extensions.append(
                ExtensionMap(id: map.id, direction: direction == .sendrecv ? nil : direction, uri: map.uri))
        }
    }
}

extension NegotiatedTransport {
    /// Whether a description asks for another DTLS association than this one (RFC 8842 section 4).
    func isNewAssociation(_ remote: TransportDescription) -> Bool {
        LocalTransport.differ(remoteTLSID, remote.tlsID)
            || Set(remoteFingerprints) != Set(remote.fingerprints.filter(\.hash.isStrong))
    }
}

extension LocalTransport? {
    /// Whether announcing `next` after this asks for another DTLS association (RFC 8842 section 4).
    func isNewAssociation(_ next: LocalTransport?) -> Bool {
        guard let self, let next else { return false }
        return Set(self.fingerprints) != Set(next.fingerprints) || LocalTransport.differ(self.tlsID, next.tlsID)
    }
}

extension LocalTransport {
    /// Whether two tls-id name different associations; one that is absent says nothing, since answers leave it out where
    /// the offer had none (RFC 8842 section 5.3).
    static func differ(_ left: String?, _ right: String?) -> Bool {
        guard let left, let right else { return false }
        return left != right
    }
}
