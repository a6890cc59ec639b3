extension Negotiator {
    /// An offer of all transceivers (RFC 9429 section 5.2), to be applied by ``applyLocal(_:_:)`` and sent.
    ///
    /// Payload types and extension identifiers that the session has used keep their meaning. The session version grows
    /// only where something changed.
    /// - Throws: ``SDPError/Reason/wrongState`` while an offer is pending, ``SDPError/Reason/halfRestart`` where only one
    ///   of the ICE credentials in ``transport`` is fresh.
    public func createOffer() throws(SDPError) -> SessionDescription {
        guard state == .stable else { throw SDPError(.wrongState, "an offer while another is pending") }
        if session?.transport != nil, let before = agreed.localTransport {
            guard (before.iceUfrag == transport.iceUfrag) == (before.icePassword == transport.icePassword) else {
                throw SDPError(.halfRestart, "an ICE restart changes user fragment and password")
            }
        }
        var offer = SessionDescription(origin: Origin(sessionID: sessionID, sessionVersion: 1))
        offer.isICELite = transport.isICELite
        offer.allowsMixedExtensions = configuration.allowsMixedExtensions
        var numbers = NumberBook(local: agreed.local, remote: agreed.remote)
        var bundled: [String] = []
        for (index, slot) in offerLayout().enumerated() {
            guard let transceiver = transceiver(of: slot), !transceiver.isStopped, let mid = slot.mid else {
                offer.media.append(closedSection(slot, index))
                continue
            }
            let isOld = agreed.slots.indices.contains(index) && agreed.slots[index].transceiver == transceiver.id
            let old = isOld ? agreed.local?.media[at: index] : nil
            var section = offeredSection(transceiver, mid: mid, old: old, numbers: &numbers)
            if bundled.isEmpty {
                (section.candidates, section.endOfCandidates) = (transport.candidates, transport.endOfCandidates)
            }
            bundled.append(mid)
            offer.media.append(section)
        }
        if !bundled.isEmpty { offer.groups = [SectionGroup(semantics: "BUNDLE", mids: bundled)] }
        return versioned(offer)
    }

    /// The sections of the next offer: those there are, and a new or recycled one for each transceiver without.
    func offerLayout() -> [Slot] {
        var slots = agreed.slots
        var usedMIDs = Set(slots.compactMap(\.mid))
        var nextMID = 0
        func freshMID() -> String {
            while usedMIDs.contains("\(nextMID)") { nextMID &+= 1 }
            let mid = "\(nextMID)"
            usedMIDs.insert(mid)
            return mid
        }
        for index in slots.indices where slots[index].mid == nil && !slots[index].isRejected {
            slots[index].mid = freshMID()
        }
        let placed = Set(slots.compactMap(\.transceiver))
        var free = slots.indices.filter { slots[$0].isRejected }[...]
        for transceiver in transceivers where !transceiver.isStopped && !placed.contains(transceiver.id) {
            let slot = Slot(mid: freshMID(), kind: transceiver.kind, transceiver: transceiver.id)
            if let index = free.popFirst() { slots[index] = slot } else { slots.append(slot) }
        }
        return slots
    }

    /// A section that is out of use: its place, kind and formats stay.
    private func closedSection(_ slot: Slot, _ index: Int) -> MediaSection {
        let old = agreed.local?.media[at: index]
        var section = MediaSection(
            kind: slot.kind, port: 0, transportProtocol: old?.transportProtocol ?? SectionRules.offeredProtocol,
            formats: old?.formats ?? ["0"])
        section.connection = SectionRules.noAddress
        section.mid = slot.mid
        if section.isRTP { section.direction = .inactive }
        return section
    }

    private func offeredSection(
        _ transceiver: Transceiver, mid: String, old: MediaSection?, numbers: inout NumberBook
    ) -> MediaSection {
        var section = MediaSection(
            kind: transceiver.kind, port: 9, transportProtocol: old?.transportProtocol ?? SectionRules.offeredProtocol,
            formats: [])
        section.connection = SectionRules.noAddress
        section.mid = mid
        section.hasRTCPMux = true
        section.hasReducedSizeRTCP = configuration.reducedSizeRTCP
        section.direction = transceiver.possibleDirection
        section.announce(transport, setup: .actpass, tlsID: transport.tlsID)
        if let limit = configuration.receiveKilobitsPerSecond {
            section.bandwidths = [BandwidthLimit(type: "AS", value: limit)]
        }
        var hasRTX = false
        var hasRepair = false
        for capability in configuration.codecs(transceiver.kind) {
            let codec = capability.codec
            guard let payloadType = numbers.payloadType(codec, old: old, preferred: capability.payloadType) else {
                continue
            }
            section.add(capability, payloadType: payloadType, feedback: capability.feedback)
            if let preferred = capability.rtxPayloadType,
                let rtx = numbers.rtxPayloadType(of: codec, old: old, preferred: preferred)
            {
                section.addRTX(rtx, of: payloadType, codec)
                hasRTX = true
            }
            if !hasRepair, let preferred = capability.repairPayloadType,
                let repair = numbers.repairPayloadType(old: old, preferred: preferred)
            {
                section.addRepair(repair)
                hasRepair = true
            }
        }
        for capability in configuration.extensions(transceiver.kind) {
            if capability.kind == .mid && mid.utf8.count > SectionRules.longestMIDOnTheWire { continue }
            guard let id = numbers.extensionID(capability.kind, old: old, preferred: capability.id) else { continue }
            section.extensions.append(ExtensionMap(id: id, uri: capability.kind.uri))
        }
        if transceiver.possibleDirection.sends, let track = transceiver.track {
            section.announce(track, withRTX: hasRTX, withRepair: hasRepair)
        }
        return section
    }

    /// The description with the version it must carry: that of our last one, or one more where something changed
    /// (RFC 3264 section 8).
    func versioned(_ description: SessionDescription) -> SessionDescription {
        var result = description
        if let last = agreed.local {
            result.origin.sessionVersion =
                last.isSameVersion(as: description) ? last.origin.sessionVersion : last.origin.sessionVersion &+ 1
        }
        return result
    }

    /// Whether an offer is due: a transceiver, direction, track or credential is not yet what was agreed.
    public var needsNegotiation: Bool {
        if session?.transport != nil, let before = agreed.localTransport, before.iceUfrag != transport.iceUfrag {
            return true
        }
        for transceiver in transceivers {
            guard let index = agreed.slots.firstIndex(where: { $0.transceiver == transceiver.id }) else {
                if !transceiver.isStopped { return true }
                continue
            }
            guard !transceiver.isStopped, let local = agreed.local?.media[at: index] else { return true }
            var wanted = transceiver.possibleDirection
            if !agreed.weOffered, let remote = agreed.remote, let theirs = remote.media[at: index] {
                wanted = wanted.intersection(remote.effectiveDirection(of: theirs).reversed)
            }
            if local.direction != wanted { return true }
            if wanted.sends, local.sources.first?.ssrc != transceiver.track?.ssrc { return true }
        }
        return false
    }
}

extension Array {
    /// The element, or nil beyond the ends.
    subscript(at index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

/// The payload types and extension identifiers of a session: who has which, and which are free.
///
/// One number means one thing in all bundled sections (RFC 9143 sections 9.1 and 10.1), for as long as the session
/// lives (RFC 3264 section 8.3.2).
struct NumberBook {
    private let sections: [MediaSection]
    private var payloadTypes: [UInt8: String] = [:]
    private var extensionIDs: [UInt8: String] = [:]

    init(local: SessionDescription?, remote: SessionDescription?) {
        sections = local?.media ?? []
        for section in sections + (remote?.media ?? []) {
            for map in section.rtpMaps {
                payloadTypes[map.payloadType] = payloadTypes[map.payloadType] ?? Self.label(map, in: section)
            }
            for map in section.extensions { extensionIDs[map.id] = extensionIDs[map.id] ?? map.uri }
        }
        for map in remote?.extensions ?? [] { extensionIDs[map.id] = extensionIDs[map.id] ?? map.uri }
    }

    /// What a payload type stands for; retransmissions by the encoding they repeat.
    private static func label(_ map: RTPMap, in section: MediaSection) -> String {
        let name = "\(map.name.lowercased())/\(map.clockRate)/\(map.channels ?? 1)"
        guard map.name.lowercased() == "rtx", let apt = section.parameters(map.payloadType)?.number("apt"),
            let original = UInt8(exactly: apt).flatMap({ section.rtpMap($0) }), original.name.lowercased() != "rtx"
        else { return name }
        return "rtx of " + label(original, in: section)
    }

    mutating func payloadType(_ codec: CodecName, old: MediaSection?, preferred: UInt8) -> UInt8? {
        let before = find(old) { $0.codecPayloadType(codec) }
        return take("\(codec.rawValue.lowercased())/\(codec.clockRate)/\(codec.channels ?? 1)", before ?? preferred)
    }

    mutating func rtxPayloadType(of codec: CodecName, old: MediaSection?, preferred: UInt8) -> UInt8? {
        let before = find(old) { section in
            section.codecPayloadType(codec).flatMap { section.rtxPayloadType(of: $0) }
        }
        let original = "\(codec.rawValue.lowercased())/\(codec.clockRate)/\(codec.channels ?? 1)"
        return take("rtx of " + original, before ?? preferred)
    }

    mutating func repairPayloadType(old: MediaSection?, preferred: UInt8) -> UInt8? {
        let before = find(old) { $0.repairPayloadType }
        return take("\(RepairFormat.name)/\(RepairFormat.clockRate)/1", before ?? preferred)
    }

    private func find(_ old: MediaSection?, _ number: (MediaSection) -> UInt8?) -> UInt8? {
        if let old, let found = number(old) { return found }
        for section in sections { if let found = number(section) { return found } }
        return nil
    }

    private mutating func take(_ label: String, _ preferred: UInt8) -> UInt8? {
        // The dynamic range, and then the part of the unassigned one that RTCP does not collide with (RFC 5761).
        for number in [preferred] + Array(96...127) + Array(35...63) where payloadTypes[number, default: label] == label
        {
            payloadTypes[number] = label
            return number
        }
        return nil
    }

    mutating func extensionID(_ kind: NegotiableExtension, old: MediaSection?, preferred: UInt8) -> UInt8? {
        let before = find(old) { $0.extensions.first { $0.uri == kind.uri }?.id }
        for id in [before ?? preferred] + Array(1...14) where extensionIDs[id, default: kind.uri] == kind.uri {
            extensionIDs[id] = kind.uri
            return id
        }
        return nil
    }
}
