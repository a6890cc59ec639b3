/// What a peer has counted since its start. Everything adds up except the momentary values at the end; nil where
/// the peer does not know (yet).
///
/// The direction "caller -> callee" takes the sender's half from the caller's counters and the receiver's half from
/// the callee's.
public struct PeerCounters: Equatable, Sendable {
    // As the sender of its media
    /// UDP datagrams sent: media, feedback and control.
    public var datagramsSent: Int?
    /// RTP packets sent: media, retransmission and repair.
    public var packetsSent: Int?
    /// Bytes that left the audio encoder.
    public var audioMediaBytes: Int?
    /// Bytes that left the video encoder.
    public var videoMediaBytes: Int?
    /// Bytes of video in RTP payloads: media, retransmission and repair.
    public var videoPayloadBytes: Int?
    /// Bytes of all UDP payloads sent: media, feedback and control.
    public var wireBytes: Int?
    /// NACK messages received.
    public var nacks: Int?
    /// Packets sent again.
    public var retransmissions: Int?
    /// Picture loss indications and full intra requests received.
    public var plis: Int?

    // As the receiver of the other side's media
    /// RTP packets received: media, retransmission and repair.
    public var packetsReceived: Int?
    /// Packets brought back by repair packets (forward error correction).
    public var fecRecovered: Int?
    /// Packets brought back by retransmission.
    public var rtxRecovered: Int?
    /// Bytes of audio received in RTP payloads.
    public var audioBytesReceived: Int?
    /// Bytes of video received in RTP payloads.
    public var videoBytesReceived: Int?
    /// Samples (48 kHz, per channel) played out.
    public var samplesPlayed: Int?
    /// Samples that concealment made up (W3C concealedSamples).
    public var samplesConcealed: Int?
    /// Those of them that were silence (W3C silentConcealedSamples).
    public var samplesSilentConcealed: Int?
    /// Samples of packets that were lost first and repaired in time.
    public var samplesRecovered: Int?
    /// Interruptions of the audio (W3C interruptionCount).
    public var interruptions: Int?

    // Of the process
    /// CPU time of this process, in milliseconds.
    public var cpuMs: Int?
    /// CPU time of its child processes (the media readers), in milliseconds.
    public var childrenCpuMs: Int?
    /// The largest resident memory so far, in kibibytes.
    public var maxRssKB: Int?

    // Of the moment
    /// The bandwidth estimate of the sending side, kbit/s.
    public var estimateKbps: Int?
    /// How long the network queue is now as the sending side sees it, in milliseconds.
    public var queueDelayMs: Int?

    public init() {}

    // A key path table instead of reflection: the names below are the file format.
    static let table: [(name: String, path: any WritableKeyPath<PeerCounters, Int?> & Sendable)] = [
        ("datagramsSent", \.datagramsSent), ("packetsSent", \.packetsSent), ("audioMediaBytes", \.audioMediaBytes),
        ("videoMediaBytes", \.videoMediaBytes), ("videoPayloadBytes", \.videoPayloadBytes),
        ("wireBytes", \.wireBytes), ("nacks", \.nacks), ("retransmissions", \.retransmissions), ("plis", \.plis),
        ("packetsReceived", \.packetsReceived), ("fecRecovered", \.fecRecovered), ("rtxRecovered", \.rtxRecovered),
        ("audioBytesReceived", \.audioBytesReceived), ("videoBytesReceived", \.videoBytesReceived),
        ("samplesPlayed", \.samplesPlayed), ("samplesConcealed", \.samplesConcealed),
        ("samplesSilentConcealed", \.samplesSilentConcealed), ("samplesRecovered", \.samplesRecovered),
        ("interruptions", \.interruptions), ("cpuMs", \.cpuMs), ("childrenCpuMs", \.childrenCpuMs),
        ("maxRssKB", \.maxRssKB), ("estimateKbps", \.estimateKbps), ("queueDelayMs", \.queueDelayMs),
    ]

    var fields: [(String, Int)] {
        Self.table.compactMap { entry in self[keyPath: entry.path].map { (entry.name, $0) } }
    }

    mutating func set(_ key: Substring, _ value: Substring) {
        guard let number = Int(value), let entry = Self.table.first(where: { $0.name == key }) else { return }
        self[keyPath: entry.path] = number
    }
}
