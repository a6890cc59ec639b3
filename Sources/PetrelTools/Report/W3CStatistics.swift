public import Petrel

/// The statistics of a call as the dictionaries of W3C webrtc-stats.
public enum W3CStatistics {
    /// One dictionary for each stream, and one for the pair of candidates that carries them.
    public static func dictionaries(_ statistics: CallStatistics) -> [JSONText] {
        var result: [JSONText] = []
        for stream in statistics.outbound {
            result.append(
                .object([
                    ("type", .string("outbound-rtp")), ("kind", .string(stream.kind)),
                    ("ssrc", .integer(Int(stream.ssrc))),
                    ("packetsSent", integer(stream.packetsSent)), ("bytesSent", integer(stream.bytesSent)),
                    ("headerBytesSent", integer(stream.headerBytesSent)),
                    ("retransmittedPacketsSent", integer(stream.retransmittedPacketsSent)),
                    ("retransmittedBytesSent", integer(stream.retransmittedBytesSent)),
                    ("nackCount", integer(stream.nackCount)), ("pliCount", integer(stream.pliCount)),
                    ("firCount", integer(stream.firCount)), ("framesSent", integer(stream.framesSent)),
                    ("keyFramesEncoded", integer(stream.keyFramesEncoded)), ("frameWidth", .integer(stream.frameWidth)),
                    ("frameHeight", .integer(stream.frameHeight)),
                    ("targetBitrate", .decimal(stream.targetBitrate, digits: 0)),
                ]))
        }
        for stream in statistics.inbound {
            result.append(
                .object([
                    ("type", .string("inbound-rtp")), ("kind", .string(stream.kind)),
                    ("ssrc", .integer(Int(stream.ssrc))),
                    ("packetsReceived", integer(stream.packetsReceived)),
                    ("packetsLost", .integer(Int(stream.packetsLost))),
                    ("bytesReceived", integer(stream.bytesReceived)), ("jitter", .decimal(stream.jitter, digits: 6)),
                    ("nackCount", integer(stream.nackCount)), ("pliCount", integer(stream.pliCount)),
                    ("retransmittedPacketsReceived", integer(stream.retransmittedPacketsReceived)),
                    ("framesReceived", integer(stream.framesReceived)),
                    ("framesDecoded", integer(stream.framesDecoded)),
                    ("framesRendered", integer(stream.framesRendered)),
                    ("framesDropped", integer(stream.framesDropped)),
                    ("frameWidth", .integer(stream.frameWidth)), ("frameHeight", .integer(stream.frameHeight)),
                    ("freezeCount", .integer(stream.freezeCount)),
                    ("totalFreezesDuration", .decimal(stream.totalFreezesDuration, digits: 3)),
                    ("totalDecodeTime", .decimal(stream.totalDecodeTime, digits: 6)),
                    ("totalSamplesReceived", integer(stream.totalSamplesReceived)),
                    ("concealedSamples", integer(stream.concealedSamples)),
                    ("silentConcealedSamples", integer(stream.silentConcealedSamples)),
                    ("concealmentEvents", integer(stream.concealmentEvents)),
                    ("insertedSamplesForDeceleration", integer(stream.insertedSamplesForDeceleration)),
                    ("removedSamplesForAcceleration", integer(stream.removedSamplesForAcceleration)),
                    ("jitterBufferDelay", .decimal(stream.jitterBufferDelay, digits: 6)),
                    ("jitterBufferEmittedCount", integer(stream.jitterBufferEmittedCount)),
                ]))
        }
        let transport = statistics.transport
        result.append(
            .object([
                ("type", .string("candidate-pair")), ("nominated", .bool(true)),
                ("packetsSent", integer(transport.packetsSent)),
                ("packetsReceived", integer(transport.packetsReceived)),
                ("bytesSent", integer(transport.bytesSent)), ("bytesReceived", integer(transport.bytesReceived)),
                ("currentRoundTripTime", .optional(transport.currentRoundTripTime, digits: 6)),
                ("availableOutgoingBitrate", .decimal(transport.availableOutgoingBitrate, digits: 0)),
            ]))
        // No W3C name: picture render less sound render at equal capture time, as last measured.
        if let skew = statistics.avSkewMilliseconds {
            result.append(.object([("type", .string("petrel-sync")), ("avSkewMs", .decimal(skew, digits: 1))]))
        }
        return result
    }

    private static func integer(_ value: UInt64) -> JSONText { .integer(Int(clamping: value)) }
}
