internal import PetrelCore

extension Negotiator {
    /// What two descriptions agree on: an intersection, so that nothing is used that either side did not write (RFC
    /// 3264 section 7).
    func negotiated(
        local: SessionDescription, remote: SessionDescription, _ agreement: Agreement
    ) throws(SDPError) -> NegotiatedSession {
        var result = NegotiatedSession()
        var accepted: [Int] = []
        for (index, (ours, theirs)) in zip(local.media, remote.media).enumerated() {
            let isRejected = ours.isRejected || theirs.isRejected
            var section = NegotiatedSection(
                index: index, mid: theirs.mid ?? ours.mid, kind: theirs.kind, isRejected: isRejected)
            section.transceiver = agreement.slots[at: index]?.transceiver
            if !isRejected {
                Self.fill(&section, local, ours, remote, theirs)
                accepted.append(index)
            }
            result.sections.append(section)
        }
        guard let first = accepted.first else { return result }
        // The answer's group says whose transport is used, where it was ours to answer and where not.
        let answer = agreement.weOffered ? remote : local
        let bundle = answer.bundle(of: answer.media[first])
        let tagged =
            bundle?.mids.lazy.compactMap { mid in accepted.first { answer.media[$0].mid == mid } }.first ?? first
        result.transport = try transportResult(local, remote, tagged, agreement)
        var seen: Set<UInt8> = []
        for index in accepted {
            for map in result.sections[index].extensions where seen.insert(map.id).inserted {
                result.extensions.append(map)
            }
        }
        result.allowsMixedExtensions = accepted.allSatisfy { index in
            (local.allowsMixedExtensions || local.media[index].allowsMixedExtensions)
                && (remote.allowsMixedExtensions || remote.media[index].allowsMixedExtensions)
        }
        return result
    }

    private func transportResult(
        _ local: SessionDescription, _ remote: SessionDescription, _ index: Int, _ agreement: Agreement
    ) throws(SDPError) -> NegotiatedTransport {
        let group = remote.bundle(of: remote.media[index])
        let theirs = try remote.checkedTransport(of: index, bundle: group)
        let ours = local.effectiveTransport(of: local.media[index])
        guard let remoteUfrag = theirs.iceUfrag, let remotePassword = theirs.icePassword,
            let localUfrag = ours.iceUfrag, let localPassword = ours.icePassword
        else { throw SDPError(.missingICECredentials, "a description without ICE credentials") }
        let before = session?.transport
        // The answer has the last word on the role: active is the client.
        let answered = agreement.weOffered ? theirs.setup : ours.setup
        let weAnswer = !agreement.weOffered
        var candidates: [String] = []
        var known: Set<String> = []
        var ended = remote.endOfCandidates
        for (place, section) in remote.media.enumerated() where !section.isRejected {
            let belongs =
                place == index
                || (group?.mids.contains(section.mid ?? "") ?? false
                    && (remote.effectiveTransport(of: section).iceUfrag ?? remoteUfrag) == remoteUfrag)
            guard belongs else { continue }
            ended = ended || section.endOfCandidates
            for candidate in section.candidates where known.insert(candidate).inserted { candidates.append(candidate) }
        }
        return NegotiatedTransport(
            localUfrag: localUfrag, localPassword: localPassword, remoteUfrag: remoteUfrag,
            remotePassword: remotePassword, remoteIsICELite: remote.isICELite,
            remoteICEOptions: theirs.iceOptions ?? before?.remoteICEOptions ?? [], remoteCandidates: candidates,
            remoteEndOfCandidates: ended,
            isICERestart: before.map { $0.remoteUfrag != remoteUfrag } ?? false,
            remoteFingerprints: theirs.fingerprints.filter(\.hash.isStrong),
            role: (answered == .active) == weAnswer ? .client : .server,
            isNewAssociation: before.map {
                $0.isNewAssociation(theirs) || agreed.localTransport.isNewAssociation(agreement.localTransport)
            } ?? true,
            remoteTLSID: theirs.tlsID ?? before?.remoteTLSID)
    }

    private static func fill(
        _ section: inout NegotiatedSection, _ local: SessionDescription, _ ours: MediaSection,
        _ remote: SessionDescription, _ theirs: MediaSection
    ) {
        let ourDirection = local.effectiveDirection(of: ours)
        let theirDirection = remote.effectiveDirection(of: theirs)
        section.sends = ourDirection.sends && theirDirection.receives
        section.receives = ourDirection.receives && theirDirection.sends
        section.rtcpMux = ours.hasRTCPMux && theirs.hasRTCPMux
        section.reducedSizeRTCP = ours.hasReducedSizeRTCP && theirs.hasReducedSizeRTCP
        section.extensions = extensions(ours.extensions + local.extensions, theirs.extensions + remote.extensions)
        let hasTransportCC = section.extensions.contains { $0.kind == .transportWideCC }
        section.sendCodecs = codecs(of: theirs, sharedWith: ours, hasTransportCC)
        section.receiveCodecs = codecs(of: ours, sharedWith: theirs, hasTransportCC)
        section.remoteSources = sources(theirs)
        section.remoteCNAME = theirs.sources.lazy.compactMap(\.cname).first
        section.remoteStreams = theirs.streams
        if theirs.streams.isEmpty, let msid = theirs.sources.lazy.compactMap(\.msid).first {
            section.remoteStreams = [msid]
        }
        section.remoteBitrateLimit = bitrateLimit(theirs.bandwidths) ?? bitrateLimit(remote.bandwidths)
        section.packetTime = theirs.packetTime
        section.maximumPacketTime = theirs.maximumPacketTime
    }

    /// The codecs that `receiver` lists, by its numbers, and that `other` lists too.
    private static func codecs(
        of receiver: MediaSection, sharedWith other: MediaSection, _ hasTransportCC: Bool
    ) -> [NegotiatedCodec] {
        var result: [NegotiatedCodec] = []
        for payloadType in receiver.payloadTypes {
            guard let codec = receiver.codec(of: payloadType), !result.contains(where: { $0.codec == codec }),
                let counterpart = other.codecPayloadType(codec)
            else { continue }
            var feedback = FeedbackKinds(in: receiver, payloadType: payloadType)
                .intersection(FeedbackKinds(in: other, payloadType: counterpart))
            if !hasTransportCC { feedback.remove(.transportCC) }
            let rtx = other.rtxPayloadType(of: counterpart) == nil ? nil : receiver.rtxPayloadType(of: payloadType)
            let parameters = receiver.parameters(payloadType)
            result.append(
                NegotiatedCodec(
                    codec: codec, payloadType: payloadType, rtxPayloadType: rtx,
                    repairPayloadType: other.repairPayloadType == nil ? nil : receiver.repairPayloadType,
                    feedback: feedback,
                    opus: codec == .opus ? OpusParameters(parameters) : nil,
                    vp8: codec == .vp8 ? VP8Parameters(parameters) : nil))
        }
        return result
    }

    /// The extensions that both list under one identifier; directions are each writer's own.
    private static func extensions(_ ours: [ExtensionMap], _ theirs: [ExtensionMap]) -> [NegotiatedExtension] {
        var result: [NegotiatedExtension] = []
        for map in ours {
            guard let kind = NegotiableExtension(rawValue: map.uri), !result.contains(where: { $0.kind == kind }),
                let other = theirs.first(where: { $0.uri == map.uri && $0.id == map.id })
            else { continue }
            let (our, their) = (map.direction ?? .sendrecv, other.direction ?? .sendrecv)
            let (sends, receives) = (our.sends && their.receives, our.receives && their.sends)
            if sends || receives {
                result.append(NegotiatedExtension(kind: kind, id: map.id, sends: sends, receives: receives))
            }
        }
        return result
    }

    private static func sources(_ section: MediaSection) -> [RemoteSource] {
        var rtx: [UInt32: UInt32] = [:]
        var repeats: Set<UInt32> = []
        for group in section.sourceGroups where group.semantics == "FID" && group.ssrcs.count == 2 {
            let (original, repetition) = (group.ssrcs[0], group.ssrcs[1])
            // A source cannot repeat itself, nor a repetition.
            guard original != repetition, rtx[original] == nil, !repeats.contains(original), rtx[repetition] == nil
            else { continue }
            rtx[original] = repetition
            repeats.insert(repetition)
        }
        var codes: [UInt32: UInt32] = [:]
        for group in section.sourceGroups where group.semantics == RepairFormat.group && group.ssrcs.count == 2 {
            let (original, code) = (group.ssrcs[0], group.ssrcs[1])
            guard original != code, codes[original] == nil, !repeats.contains(original), !repeats.contains(code),
                codes[code] == nil, rtx[code] == nil
            else { continue }
            codes[original] = code
            repeats.insert(code)
        }
        return section.sources.filter { !repeats.contains($0.ssrc) }.map {
            RemoteSource(
                ssrc: $0.ssrc, rtxSSRC: rtx[$0.ssrc], repairSSRC: codes[$0.ssrc], cname: $0.cname)
        }
    }

    private static func bitrateLimit(_ limits: [BandwidthLimit]) -> DataRate? {
        func value(_ type: String, unit: UInt64) -> DataRate? {
            guard let limit = limits.first(where: { $0.type == type }), limit.value > 0 else { return nil }
            let (bits, overflow) = limit.value.multipliedReportingOverflow(by: unit)
            return DataRate(bitsPerSecond: overflow ? .max : Int64(clamping: bits))
        }
        return value("TIAS", unit: 1) ?? value("AS", unit: 1000)
    }
}
