/// Which sections of an offer we take, and on which transport.
struct OfferPlan {
    /// The sections we take.
    private(set) var accepted: Set<Int> = []
    /// Their identification tags in the order of the offer's group; empty where there is no group.
    private(set) var bundledMIDs: [String] = []
    /// The section whose transport is used (RFC 9143 section 7.3.1), and its attributes.
    private(set) var transportIndex: Int?
    private(set) var transport: TransportDescription?

    /// - Throws: where a section we would take has no proper certificate, credentials or role.
    init(_ offer: SessionDescription, _ negotiator: Negotiator, slots: [Slot]) throws(SDPError) {
        let acceptable = offer.media.indices.filter { index in
            let section = offer.media[index]
            // A transceiver we have stopped takes nothing; a place without one gets a fresh transceiver.
            if let slot = slots[at: index], let owner = negotiator.transceiver(of: slot), owner.isStopped {
                return false
            }
            return Self.isAcceptable(section, negotiator.configuration)
        }
        guard let first = acceptable.first else { return }
        let group = offer.bundle(of: offer.media[first])
        let members = Set(group?.mids ?? [])
        accepted = Set(
            acceptable.filter { $0 == first || offer.media[$0].mid.map { members.contains($0) } ?? false })
        if let group {
            bundledMIDs = group.mids.filter { mid in accepted.contains { offer.media[$0].mid == mid } }
        }
        let index = bundledMIDs.first.flatMap { mid in offer.media.firstIndex { $0.mid == mid } } ?? first
        transportIndex = index
        let checked = try offer.checkedTransport(of: index, bundle: group)
        guard checked.setup != .holdconn else { throw SDPError(.badSetup, "a=setup:holdconn with WebRTC media") }
        transport = checked
    }

    static func isAcceptable(_ section: MediaSection, _ configuration: LocalConfiguration) -> Bool {
        guard !section.isRejected, section.hasRTCPMux, section.portCount ?? 1 == 1,
            SectionRules.acceptedProtocols.contains(section.transportProtocol)
        else { return false }
        return configuration.codecs(section.kind).contains { section.codecPayloadType($0.codec) != nil }
    }
}

extension SessionDescription {
    /// The BUNDLE group that a section is in.
    func bundle(of section: MediaSection) -> SectionGroup? {
        guard let mid = section.mid else { return nil }
        return groups.first { $0.semantics == "BUNDLE" && $0.mids.contains(mid) }
    }

    /// The transport attributes of a section, checked: credentials, a strong fingerprint and a role are there, and the
    /// other sections of the group do not contradict (RFC 9143 section 7.1.3).
    func checkedTransport(of index: Int, bundle: SectionGroup?) throws(SDPError) -> TransportDescription {
        guard let section = media[at: index] else { throw SDPError(.sectionCount, "no section \(index)") }
        var transport = effectiveTransport(of: section)
        // What all sections share may stand in the first of the group alone.
        if let tag = bundle?.mids.first, let tagged = self.section(mid: tag), !tagged.isRejected {
            transport = transport.filled(from: effectiveTransport(of: tagged))
        }
        let name = section.mid.map { "section \($0)" } ?? "section \(index)"
        guard transport.iceUfrag != nil, transport.icePassword != nil else {
            throw SDPError(.missingICECredentials, "\(name) without a=ice-ufrag and a=ice-pwd")
        }
        guard !transport.fingerprints.isEmpty || !transport.unknownFingerprints.isEmpty else {
            throw SDPError(.noFingerprint, "\(name) without a=fingerprint")
        }
        guard transport.fingerprints.contains(where: \.hash.isStrong) else {
            throw SDPError(.weakFingerprint, "\(name) without a fingerprint of SHA-256 or better")
        }
        for other in media where bundle?.mids.contains(other.mid ?? "") ?? false && !other.isRejected {
            let theirs = effectiveTransport(of: other)
            if !theirs.fingerprints.isEmpty, Set(theirs.fingerprints) != Set(transport.fingerprints) {
                throw SDPError(.fingerprintConflict, "bundled sections with different fingerprints")
            }
            if let setup = theirs.setup, let ours = transport.setup, setup != ours {
                throw SDPError(.setupConflict, "bundled sections with different a=setup")
            }
        }
        return transport
    }
}
