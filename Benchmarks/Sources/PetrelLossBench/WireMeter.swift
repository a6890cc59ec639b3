import PetrelCore
import PetrelLab

/// Counts what one side puts on the wire from the headers that are not encrypted, whatever its peer says of itself.
struct WireMeter {
    /// Octets an SRTP packet is longer than its RTP packet with AES-GCM (RFC 7714), which two of our peers agree on.
    static let tagLength = 16

    /// The payload types of one kind, from its line in the SDP.
    var audioTypes: Set<UInt8> = []
    var videoTypes: Set<UInt8> = []
    /// The payload type of the pictures themselves.
    var pictureType: UInt8?

    private(set) var datagrams = 0
    private(set) var bytes = 0
    /// What RTP carries: the encoder's output with its descriptors, what is sent again, and repair of every kind.
    private(set) var audioPayload = 0
    private(set) var videoPayload = 0
    private(set) var feedbackBytes = 0
    /// How many frames of how many packets there were.
    private(set) var packetsPerFrame: [Int: Int] = [:]

    private var frame: (ssrc: UInt32, timestamp: UInt32, packets: Int)?
    private var newest: UInt16?

    /// Reads which payload types are whose.
    mutating func read(sdp: String) {
        var kind = ""
        for line in sdp.split(whereSeparator: { $0.isNewline }) {
            if line.hasPrefix("m=") {
                let words = line.dropFirst(2).split(separator: " ")
                kind = words.first.map(String.init) ?? ""
                let types = Set(words.dropFirst(3).compactMap { UInt8($0) })
                if kind == "audio" { audioTypes.formUnion(types) }
                if kind == "video" { videoTypes.formUnion(types) }
            } else if line.hasPrefix("a=rtpmap:"), line.uppercased().contains(" VP8/") {
                pictureType = line.dropFirst(9).split(separator: " ").first.flatMap { UInt8($0) }
            }
        }
    }

    /// Notes a datagram that was sent.
    mutating func sent(_ datagram: UnsafeRawBufferPointer) -> Header? {
        datagrams += 1
        bytes += datagram.count
        guard let header = Header(datagram) else { return nil }
        guard header.isMedia else {
            feedbackBytes += datagram.count
            return header
        }
        let payload = max(0, datagram.count - header.length - Self.tagLength)
        if audioTypes.contains(header.payloadType) { audioPayload += payload }
        if videoTypes.contains(header.payloadType) { videoPayload += payload }
        if header.payloadType == pictureType { countPicture(header) }
        return header
    }

    private mutating func countPicture(_ header: Header) {
        // A packet sent again under its own number is no further packet of its frame.
        if let newest, Int16(truncatingIfNeeded: Int(header.sequence) - Int(newest)) <= 0 { return }
        newest = header.sequence
        if let known = frame, known.ssrc == header.ssrc, known.timestamp == header.timestamp {
            frame?.packets += 1
        } else {
            if let done = frame { packetsPerFrame[done.packets, default: 0] += 1 }
            frame = (header.ssrc, header.timestamp, 1)
        }
    }

    /// The open part of an RTP or RTCP packet (RFC 3550 section 5.1, RFC 5761 section 4).
    struct Header {
        var payloadType: UInt8
        var sequence: UInt16
        var timestamp: UInt32
        var ssrc: UInt32
        var length: Int
        /// RTP, not RTCP.
        var isMedia: Bool

        init?(_ bytes: UnsafeRawBufferPointer) {
            guard bytes.count >= 12, bytes[0] >> 6 == 2 else { return nil }
            func word(_ offset: Int) -> UInt32 {
                UInt32(bytes[offset]) << 24 | UInt32(bytes[offset + 1]) << 16 | UInt32(bytes[offset + 2]) << 8
                    | UInt32(bytes[offset + 3])
            }
            payloadType = bytes[1] & 0x7F
            sequence = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
            timestamp = word(4)
            isMedia = !(64...95).contains(payloadType)
            ssrc = word(isMedia ? 8 : 4)
            length = 12 + 4 * Int(bytes[0] & 0x0F)
            guard isMedia, bytes[0] & 0x10 != 0 else { return }
            guard bytes.count >= length + 4 else { return nil }
            length += 4 + 4 * (Int(bytes[length + 2]) << 8 | Int(bytes[length + 3]))
        }
    }
}
