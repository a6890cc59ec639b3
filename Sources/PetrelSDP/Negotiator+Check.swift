extension Negotiator {
    /// Checks the other side's offer against itself and what was agreed, and makes it the pending one.
    mutating func adopt(offer: SessionDescription) throws(SDPError) {
        try Self.checkForm(offer)
        guard offer.media.count >= agreed.slots.count else {
            throw SDPError(.sectionCount, "\(offer.media.count) sections where there were \(agreed.slots.count)")
        }
        var slots: [Slot] = []
        for (index, section) in offer.media.enumerated() {
            let fresh = Slot(mid: section.mid, kind: section.kind)
            guard let slot = agreed.slots[at: index], !slot.isRejected else {
                slots.append(fresh)
                continue
            }
            guard slot.kind == section.kind, slot.mid == section.mid || section.isRejected else {
                throw SDPError(.sectionMismatch, "section \(index) changes its kind or identification tag")
            }
            try checkNumbers(section, index)
            slots.append(slot)
        }
        let plan = try OfferPlan(offer, self, slots: slots)
        if let transport = plan.transport { try checkTransport(transport, of: offer, isAnswer: false) }
        try Self.checkExtensions(offer, sections: plan.accepted)
        var placed = Set(slots.compactMap(\.transceiver))
        for index in slots.indices where plan.accepted.contains(index) && slots[index].transceiver == nil {
            let waiting = transceivers.first {
                $0.kind == slots[index].kind && !$0.isStopped && !placed.contains($0.id)
            }
            let id = waiting?.id ?? insert(slots[index].kind, .recvonly, nil, fromRemote: true)
            slots[index].transceiver = id
            placed.insert(id)
        }
        guard transceivers.count <= Self.maximumTransceivers else {
            throw SDPError(.tooMany, "more than \(Self.maximumTransceivers) sections in use")
        }
        var next = agreed
        (next.slots, next.local, next.remote, next.weOffered) = (slots, agreed.local, offer, false)
        pending = next
    }

    /// Checks the other side's answer against our offer (RFC 3264 section 6, RFC 9143 section 7.3).
    func check(answer: SessionDescription, to offer: SessionDescription, in pending: Agreement) throws(SDPError) {
        try Self.checkForm(answer)
        guard answer.media.count == offer.media.count else {
            throw SDPError(.sectionCount, "\(answer.media.count) sections in answer to \(offer.media.count)")
        }
        let offeredMIDs = Set(offer.groups.flatMap(\.mids))
        for group in answer.groups where group.semantics == "BUNDLE" {
            for mid in group.mids where !offeredMIDs.contains(mid) {
                throw SDPError(.notOffered, "the answer bundles \(mid), the offer does not")
            }
        }
        var accepted: [Int] = []
        for (index, (ours, theirs)) in zip(offer.media, answer.media).enumerated() {
            guard ours.kind == theirs.kind, theirs.mid == nil || theirs.mid == ours.mid else {
                throw SDPError(.sectionMismatch, "section \(index) of the answer is another than in the offer")
            }
            if theirs.isRejected { continue }
            guard !ours.isRejected else { throw SDPError(.notOffered, "section \(index) was not offered") }
            try check(answered: theirs, to: ours, index)
            accepted.append(index)
        }
        guard let first = accepted.first else { return }
        let group = answer.bundle(of: answer.media[first])
        for index in accepted.dropFirst() where !(group?.mids.contains(answer.media[index].mid ?? "") ?? false) {
            throw SDPError(.bundleRequired, "section \(index) of the answer is not bundled with the first")
        }
        let tagged =
            group?.mids.lazy.compactMap { mid in accepted.first { answer.media[$0].mid == mid } }.first ?? first
        let transport = try answer.checkedTransport(of: tagged, bundle: group)
        guard transport.setup == .active || transport.setup == .passive else {
            throw SDPError(.badSetup, "an answer must say a=setup:active or passive")
        }
        try checkTransport(transport, of: answer, isAnswer: true)
        try Self.checkExtensions(answer, sections: Set(accepted))
    }

    private func check(answered theirs: MediaSection, to ours: MediaSection, _ index: Int) throws(SDPError) {
        guard SectionRules.acceptedProtocols.contains(theirs.transportProtocol) else {
            throw SDPError(.notOffered, "section \(index) answered with \(theirs.transportProtocol)")
        }
        guard theirs.hasRTCPMux else {
            throw SDPError(.multiplexingRequired, "section \(index) of the answer without a=rtcp-mux")
        }
        for payloadType in theirs.payloadTypes {
            guard let answered = theirs.rtpMap(payloadType), let offered = ours.rtpMap(payloadType) else { continue }
            guard answered.isSameEncoding(as: offered) else {
                throw SDPError(.payloadTypeReused, "payload type \(payloadType) is \(answered.name) in the answer")
            }
        }
        guard ours.payloadTypes.contains(where: { ours.codec(of: $0).flatMap(theirs.codecPayloadType) != nil }) else {
            throw SDPError(.noCommonCodec, "section \(index) of the answer has no codec that was offered")
        }
    }

    /// What any description must hold to, whoever made it (RFC 9143 sections 5 and 10.1).
    private static func checkForm(_ description: SessionDescription) throws(SDPError) {
        var mids: Set<String> = []
        for mid in description.media.compactMap(\.mid) where !mids.insert(mid).inserted {
            throw SDPError(.duplicateMID, "two sections with a=mid:\(mid)")
        }
        var grouped: Set<String> = []
        for group in description.groups where group.semantics == "BUNDLE" {
            var encodings: [UInt8: RTPMap] = [:]
            for mid in group.mids {
                guard mids.contains(mid) else {
                    throw SDPError(.unknownMID, "a=group names \(mid), which is no section")
                }
                guard grouped.insert(mid).inserted else { throw SDPError(.midInTwoGroups, "\(mid) is bundled twice") }
            }
            let members = Set(group.mids)
            for section in description.media where members.contains(section.mid ?? "") && !section.isRejected {
                let listed = Set(section.payloadTypes)
                for map in section.rtpMaps where listed.contains(map.payloadType) {
                    guard encodings[map.payloadType, default: map].isSameEncoding(as: map) else {
                        throw SDPError(.payloadTypeReused, "payload type \(map.payloadType) has two meanings")
                    }
                    encodings[map.payloadType] = map
                }
            }
        }
    }

    /// One identifier must mean one extension in all sections that share the transport (RFC 9143 section 10.1).
    private static func checkExtensions(_ description: SessionDescription, sections: Set<Int>) throws(SDPError) {
        var uris: [UInt8: String] = [:]
        for index in sections.sorted() {
            for map in description.media[index].extensions + description.extensions {
                guard uris[map.id, default: map.uri] == map.uri else {
                    throw SDPError(.extensionIDReused, "header extension \(map.id) has two meanings")
                }
                uris[map.id] = map.uri
            }
        }
    }

    /// Numbers keep their meaning while a section lives (RFC 3264 section 8.3.2, RFC 8285 section 7).
    private func checkNumbers(_ section: MediaSection, _ index: Int) throws(SDPError) {
        // Only what the other side wrote counts: numbers that we offered and it did not take are free for it.
        guard !section.isRejected, let before = agreed.remote?.media[at: index] else { return }
        for map in section.rtpMaps {
            guard before.rtpMap(map.payloadType)?.isSameEncoding(as: map) ?? true else {
                throw SDPError(.payloadTypeReused, "payload type \(map.payloadType) changes its meaning")
            }
        }
        for map in section.extensions {
            let uri = before.extensions.first { $0.id == map.id }?.uri ?? map.uri
            guard uri == map.uri else {
                throw SDPError(.extensionIDReused, "header extension \(map.id) changes its meaning")
            }
        }
    }

    /// Checks ICE and DTLS attributes against the transport in use (RFC 8839 section 4.4, RFC 8842 section 5.5).
    private func checkTransport(
        _ remote: TransportDescription, of description: SessionDescription, isAnswer: Bool
    ) throws(SDPError) {
        guard let before = session?.transport else { return }
        let (newUfrag, newPassword) = (
            before.remoteUfrag != remote.iceUfrag, before.remotePassword != remote.icePassword
        )
        guard newUfrag == newPassword else {
            throw SDPError(.halfRestart, "only one of ice-ufrag and ice-pwd has changed")
        }
        if isAnswer {
            let weRestart = agreed.localTransport?.iceUfrag != pending?.localTransport?.iceUfrag
            guard newUfrag == weRestart else {
                throw SDPError(.halfRestart, "the answer \(newUfrag ? "restarts ICE alone" : "does not restart ICE")")
            }
        }
        if !newUfrag {
            guard before.remoteIsICELite == description.isICELite else {
                throw SDPError(.iceLiteChanged, "a=ice-lite changes without an ICE restart")
            }
            // A description without the line says nothing about options.
            let options = remote.iceOptions ?? before.remoteICEOptions
            guard before.remoteICEOptions.isEmpty || Set(before.remoteICEOptions) == Set(options) else {
                throw SDPError(.iceOptionsChanged, "a=ice-options changes without an ICE restart")
            }
        }
        let isNew =
            before.isNewAssociation(remote)
            || (isAnswer && agreed.localTransport.isNewAssociation(pending?.localTransport))
        // Without a=setup an offer is active (RFC 4145 section 4.1).
        let setup = remote.setup ?? .active
        guard isNew || setup == .actpass || setup == (before.role == .client ? .passive : .active) else {
            throw SDPError(.setupConflict, "a=setup contradicts the DTLS association in use")
        }
    }

    /// Whether a candidate that came by itself belongs to the transport in use or being agreed on (RFC 8838, RFC 9429
    /// section 4.1.20).
    /// - Parameter ufrag: the user fragment that came with the candidate, nil where none did.
    /// - Returns: false where the section is rejected or the candidate is of another ICE generation.
    /// - Throws: ``SDPError/Reason/unknownMID`` for a section that is not there, ``SDPError/Reason/wrongState`` before
    ///   any description of the other side.
    public func accepts(candidateForMID mid: String?, index: Int?, ufrag: String? = nil) throws(SDPError) -> Bool {
        guard let remote = remoteDescription else { throw SDPError(.wrongState, "a candidate before any description") }
        let found = mid.map { mid in remote.media.firstIndex { $0.mid == mid } } ?? index
        guard let found, let section = remote.media[at: found] else {
            throw SDPError(.unknownMID, "a candidate for section \(mid ?? index.map { "\($0)" } ?? "none")")
        }
        if section.isRejected { return false }
        return ufrag == nil || ufrag == remote.transportUfrag(of: section)
    }
}

extension SessionDescription {
    /// The user fragment that holds for a section, its own or that of the first of its group.
    fileprivate func transportUfrag(of section: MediaSection) -> String? {
        if let own = effectiveTransport(of: section).iceUfrag { return own }
        return bundle(of: section)?.mids.first.flatMap { self.section(mid: $0) }.flatMap {
            effectiveTransport(of: $0).iceUfrag
        }
    }
}
