/// What sections must be like for us to take them, and how ours are written.
enum SectionRules {
    static let offeredProtocol = "UDP/TLS/RTP/SAVPF"
    /// DTLS-SRTP with feedback; nothing else is ever accepted (RFC 8827 section 6.5).
    static let acceptedProtocols = ["UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF"]
    /// Candidates say where to send; the c= line does not (RFC 9429 section 5.2.1).
    static let noAddress = "IN IP4 0.0.0.0"
    /// A one-byte header extension holds at most 16 octets (RFC 8285 section 4.2).
    static let longestMIDOnTheWire = 16

    /// Whether a payload type may be used where RTP and RTCP share a port (RFC 5761 section 4).
    static func isUsable(_ payloadType: UInt8) -> Bool { payloadType < 64 || (96...127).contains(payloadType) }
}

extension MediaSection {
    /// The first payload type of this codec in the order of preference.
    func codecPayloadType(_ codec: CodecName) -> UInt8? {
        payloadTypes.first { self.codec(of: $0) == codec }
    }

    /// The codec of a payload type that is in the m= line; nil for those we do not have.
    func codec(of payloadType: UInt8) -> CodecName? {
        guard SectionRules.isUsable(payloadType), let map = rtpMap(payloadType) else { return nil }
        return CodecName.allCases.first { $0.mediaKind == kind && $0.map(payloadType).isSameEncoding(as: map) }
    }

    /// The payload type that retransmits another (RFC 4588 section 8.6).
    func rtxPayloadType(of original: UInt8) -> UInt8? {
        guard let clockRate = rtpMap(original)?.clockRate else { return nil }
        return payloadTypes.first { payloadType in
            guard payloadType != original, SectionRules.isUsable(payloadType), let map = rtpMap(payloadType) else {
                return false
            }
            return map.name.lowercased() == "rtx" && map.clockRate == clockRate
                && parameters(payloadType)?.number("apt") == Int(original)
        }
    }

    mutating func add(_ capability: CodecCapability, payloadType: UInt8, feedback kinds: FeedbackKinds) {
        formats.append("\(payloadType)")
        rtpMaps.append(capability.codec.map(payloadType))
        feedback += kinds.lines(payloadType: payloadType)
        if let text = capability.parameters {
            formatParameters.append(FormatParameters(payloadType: payloadType, text: text))
        }
    }

    mutating func addRTX(_ rtx: UInt8, of payloadType: UInt8, _ codec: CodecName) {
        formats.append("\(rtx)")
        rtpMaps.append(RTPMap(payloadType: rtx, name: "rtx", clockRate: codec.clockRate))
        formatParameters.append(FormatParameters(payloadType: rtx, text: "apt=\(payloadType)"))
    }

    mutating func announce(_ local: LocalTransport, setup: SetupRole, tlsID: String?) {
        transport.iceUfrag = local.iceUfrag
        transport.icePassword = local.icePassword
        transport.iceOptions = local.iceOptions.isEmpty ? nil : local.iceOptions
        transport.fingerprints = local.fingerprints
        transport.setup = setup
        transport.tlsID = tlsID
    }

    mutating func announce(_ track: LocalTrack, withRTX: Bool, withRepair: Bool = false) {
        let msid = StreamIdentifier(stream: track.streamID, track: track.trackID)
        streams = [msid]
        sources = [SourceDescription(ssrc: track.ssrc, cname: track.cname, msid: msid)]
        if withRTX, let rtx = track.rtxSSRC {
            sources.append(SourceDescription(ssrc: rtx, cname: track.cname, msid: msid))
            sourceGroups = [SourceGroup(semantics: "FID", ssrcs: [track.ssrc, rtx])]
        }
        if withRepair, let repair = track.repairSSRC {
            sources.append(SourceDescription(ssrc: repair, cname: track.cname, msid: msid))
            sourceGroups.append(SourceGroup(semantics: RepairFormat.group, ssrcs: [track.ssrc, repair]))
        }
    }
}
