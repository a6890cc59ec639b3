/// How the sliding-window repair code between two Petrel peers stands in a session description. Others leave out what
/// they do not know (RFC 3264 section 6.1), so one offer serves all.
///
/// ```
/// a=rtpmap:120 swfec/90000
/// a=rtcp-fb:120 x-swfb
/// a=ssrc-group:FEC-FR <media> <repair>
/// ```
enum RepairFormat {
    static let name = "swfec"
    static let feedback = "x-swfb"
    static let clockRate: UInt32 = 90_000
    /// RFC 5956 section 4.3.
    static let group = "FEC-FR"
}

extension MediaSection {
    /// The payload type of the repair code, where the section has it with its feedback.
    var repairPayloadType: UInt8? {
        payloadTypes.first { payloadType in
            guard SectionRules.isUsable(payloadType), let map = rtpMap(payloadType) else { return false }
            return map.name.lowercased() == RepairFormat.name && map.clockRate == RepairFormat.clockRate
                && hasFeedback(RepairFormat.feedback, for: payloadType)
        }
    }

    mutating func addRepair(_ payloadType: UInt8) {
        formats.append("\(payloadType)")
        rtpMaps.append(
            RTPMap(payloadType: payloadType, name: RepairFormat.name, clockRate: RepairFormat.clockRate))
        feedback.append(FeedbackLine(payloadType: payloadType, value: RepairFormat.feedback))
    }
}
