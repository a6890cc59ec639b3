public import Logging

/// How a ``Call`` is set up. The defaults suit a call between two people.
public struct CallConfiguration: Sendable {
    /// Which addresses of the other side are ever sent to.
    public enum AddressProfile: Sendable {
        /// A person's machine: everything but multicast, broadcast and (from outside) loopback.
        case client
        /// A server: no loopback, link-local or metadata addresses either, so that nobody can use it as a proxy.
        case server
        /// Everything, loopback included: for tests and rehearsals on one machine.
        case lab
    }

    /// Which addresses of the other side are ever sent to.
    public var addressProfile = AddressProfile.client
    /// STUN servers, as `host:port` with a numeric host; they tell this endpoint its address outside a NAT.
    public var stunServers: [String] = []
    /// Local addresses to use. Empty: every address of this machine, loopback only where there is no other.
    public var localAddresses: [String] = []
    /// The most that video takes, in kbit/s, the least, and what it starts at.
    public var maximumVideoKilobitsPerSecond = 2500
    public var minimumVideoKilobitsPerSecond = 150
    public var startVideoKilobitsPerSecond = 1800
    /// The bitrate of each audio track in kbit/s.
    public var audioKilobitsPerSecond = 40
    /// The largest picture that is sent; larger ones are scaled down. Nil: as the source makes them.
    public var maximumVideoSize: VideoSize?
    /// Let encoders stop sending during silence (Opus DTX).
    public var discontinuousAudio = false
    /// Write every datagram into a file that Wireshark opens. See ``PacketCaptureOptions``.
    public var packetCapture: PacketCaptureOptions?
    /// Where log lines go. They never hold keys, passwords, tokens or session descriptions.
    public var logger = Logger(label: "petrel")

    public init() {}
}

/// Width and height of a picture in pixels.
public struct VideoSize: Hashable, Sendable, CustomStringConvertible {
    /// In pixels.
    public var width: Int
    public var height: Int
    public init(width: Int, height: Int) { (self.width, self.height) = (width, height) }
    public var description: String { "\(width)x\(height)" }
}

/// Where a packet capture is written, and whether media is readable in it.
public struct PacketCaptureOptions: Sendable {
    /// The path of the pcapng file.
    public var path: String
    /// Write media decrypted. Whoever has the file can then see and hear the call.
    public var decrypted: Bool
    public init(path: String, decrypted: Bool = false) { (self.path, self.decrypted) = (path, decrypted) }
}

/// What can go wrong in a call, and what to do.
public enum CallError: Error, Sendable, CustomStringConvertible {
    /// A setting makes no sense.
    case badConfiguration(String)
    /// No socket could be opened.
    case noSocket(String)
    /// The session description of the other side cannot be used.
    case badDescription(String)
    /// The call is over.
    case closed
    /// A codec or certificate could not be made.
    case library(String)
    /// A file could not be written.
    case file(String)

    public var description: String {
        switch self {
        case .badConfiguration(let text): text
        case .noSocket(let text): text
        case .badDescription(let text): "the other side's session description cannot be used: \(text)"
        case .closed: "the call is over; make a new Call"
        case .library(let text): text
        case .file(let text): text
        }
    }
}

/// Where a call stands (RTCPeerConnectionState of W3C WebRTC).
public enum CallState: String, Hashable, Sendable {
    case new, connecting, connected, disconnected, failed, closed
}

/// What a call tells the application.
public enum CallEvent: Sendable {
    /// The state has changed; with `failed` comes the reason in words.
    case state(CallState, reason: String?)
    /// The other side sends a picture.
    case videoTrack(RemoteVideoTrack)
    /// The other side sends sound.
    case audioTrack(RemoteAudioTrack)
    /// The other side no longer sends this track.
    case trackEnded(id: Int)
    /// Media takes another way through the network.
    case pathChanged(local: String, remote: String)
    /// A candidate of ours for the other side (trickle ICE), as `candidate:...`; nil after the last one.
    case localCandidate(String?, mid: String?)
}
