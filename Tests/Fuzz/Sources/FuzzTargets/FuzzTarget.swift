/// The doors through which bytes of a stranger come in, each as a function of those bytes alone.
///
/// Two users share these sources: `Tests/Fuzz`, a package of its own that links them with libFuzzer, and
/// `Tests/FuzzReplayTests`, which replays all corpora and kept crashes with every `swift test`.
///
/// A target ends normally for every input. It fails by a trap: one in the code under test (an overflow, an index, a
/// forced unwrapping), or one of ``require(_:_:)`` where a property does not hold. It is deterministic: the same
/// bytes do the same, whatever ran before.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case stun
    case candidateLine = "candidate_line"
    case sdpParse = "sdp_parse"
    case sdpOfferToAnswer = "sdp_offer_to_answer"
    case trickleFragment = "trickle_fragment"
    case demuxAndRTP = "demux_and_rtp"
    case rtcpCompound = "rtcp_compound"
    case twcc
    case rtx
    case red
    case opusTOC = "opus_toc"
    case vp8Descriptor = "vp8_descriptor"
    case dtlsDatagram = "dtls_datagram"
    case srtpOpen = "srtp_open"
    case iceAgent = "ice_agent"
    case portRoutes = "port_routes"
    case audioReceiver = "audio_receiver"
    case videoAssembler = "video_assembler"
    case repairDecoder = "repair_decoder"
    case linkDescription = "link_description"
    case fecHeader = "fec_header"
    case fecReceiver = "fec_receiver"
    case wholePeer = "whole_peer"

    /// Does to the code under test what the bytes say.
    public func run(_ input: UnsafeRawBufferPointer) {
        switch self {
        case .stun: fuzzSTUN(input)
        case .candidateLine: fuzzCandidateLine(input)
        case .sdpParse: fuzzSDPParse(input)
        case .sdpOfferToAnswer: fuzzSDPOfferToAnswer(input)
        case .trickleFragment: fuzzTrickleFragment(input)
        case .demuxAndRTP: fuzzDemuxAndRTP(input)
        case .rtcpCompound: fuzzRTCPCompound(input)
        case .twcc: fuzzTWCC(input)
        case .rtx: fuzzRTX(input)
        case .red: fuzzRED(input)
        case .opusTOC: fuzzOpusTOC(input)
        case .vp8Descriptor: fuzzVP8Descriptor(input)
        case .dtlsDatagram: fuzzDTLSDatagram(input)
        case .srtpOpen: fuzzSRTPOpen(input)
        case .iceAgent: fuzzICEAgent(input)
        case .portRoutes: fuzzPortRoutes(input)
        case .audioReceiver: fuzzAudioReceiver(input)
        case .videoAssembler: fuzzVideoAssembler(input)
        case .repairDecoder: fuzzRepairDecoder(input)
        case .linkDescription: fuzzLinkDescription(input)
        case .fecHeader: fuzzFECHeader(input)
        case .fecReceiver: fuzzFECReceiver(input)
        case .wholePeer: fuzzWholePeer(input)
        }
    }

    /// The same for an array.
    public func run(_ input: [UInt8]) { input.withUnsafeBytes { run($0) } }

    /// The longest input that makes sense, in octets: a few datagrams, or a text that reaches the limits of its parser.
    public var maximumInput: Int {
        switch self {
        case .sdpParse, .sdpOfferToAnswer, .trickleFragment: 65_536
        case .linkDescription: 8192
        case .wholePeer: 16_384
        case .iceAgent, .portRoutes, .audioReceiver, .videoAssembler, .repairDecoder, .dtlsDatagram, .fecReceiver: 4096
        default: 2000
        }
    }
}

/// Traps where a property does not hold.
func require(_ holds: Bool, _ property: @autoclosure () -> String, line: UInt = #line) {
    if !holds { fatalError("property violated (line \(line)): \(property())") }
}
