/// The negotiated local identifiers of the header extensions Petrel knows (RFC 8285 section 5); 0 means absent.
public struct RTPExtensionMap: Hashable, Sendable {
    /// The identifier of each extension in packets (RFC 8285 section 5); 0 where it was not negotiated.
    public var mid: UInt8
    public var rid: UInt8
    public var absSendTime: UInt8
    public var transportSequenceNumber: UInt8
    public var absCaptureTime: UInt8
    public var audioLevel: UInt8
    public var frameReferences: UInt8

    public init(
        mid: UInt8 = 0, rid: UInt8 = 0, absSendTime: UInt8 = 0, transportSequenceNumber: UInt8 = 0,
        absCaptureTime: UInt8 = 0, audioLevel: UInt8 = 0, frameReferences: UInt8 = 0
    ) {
        self.mid = mid
        self.rid = rid
        self.absSendTime = absSendTime
        self.transportSequenceNumber = transportSequenceNumber
        self.absCaptureTime = absCaptureTime
        self.audioLevel = audioLevel
        self.frameReferences = frameReferences
    }

    /// No extension negotiated.
    public static let none = RTPExtensionMap()

    /// Enters `id` for the extension that `uri` names.
    /// - Returns: false for a URI that Petrel does not know, and for id 0.
    @discardableResult
    public mutating func set(_ id: UInt8, for uri: String) -> Bool {
        guard id != 0 else { return false }
        switch uri {
        case RTPExtensionURI.mid: mid = id
        case RTPExtensionURI.rid: rid = id
        case RTPExtensionURI.absSendTime: absSendTime = id
        case RTPExtensionURI.transportSequenceNumber: transportSequenceNumber = id
        case RTPExtensionURI.absCaptureTime: absCaptureTime = id
        case RTPExtensionURI.audioLevel: audioLevel = id
        case RTPExtensionURI.frameReferences: frameReferences = id
        default: return false
        }
        return true
    }
}

/// The names of the header extensions in an `a=extmap` line (RFC 8285 section 5).
public enum RTPExtensionURI {
    /// RFC 9143 section 15.2.
    public static let mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    /// RFC 8852 section 3.1.
    public static let rid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    /// 24 bits of 6.18 fixed-point seconds at the moment of sending.
    public static let absSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2.
    public static let transportSequenceNumber =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    /// The wall clock of the capturing system.
    public static let absCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
    /// RFC 6464 section 4.
    public static let audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    /// Petrel's own: ``FrameReferences``.
    public static let frameReferences = "urn:x-petrel:frame-references"
}
