public import Logging
internal import PetrelCodecs
internal import PetrelCongestion
internal import PetrelCore
internal import PetrelICE
internal import PetrelPeer
internal import PetrelSDP
internal import PetrelSecurity

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
    /// Local addresses to use, as `192.0.2.7`, or with a port, as `192.0.2.7:5004` and `[2001:db8::1]:5004`. All of them
    /// must be had. Empty: every address of this machine, loopback only where there is no other.
    public var localAddresses: [String] = []
    /// The UDP ports that this call's sockets may have: for a server behind a firewall that lets a range through. Each
    /// local address takes one. Nil: any that is free. A port named in ``localAddresses`` stays as it is.
    public var udpPorts: ClosedRange<UInt16>?
    /// Use a port together with other calls, in place of sockets of the call's own. Then ``localAddresses`` and
    /// ``udpPorts`` must be left alone.
    public var sharedPort: SharedPort?
    /// The addresses of this machine outside a NAT that maps addresses one to one and keeps port numbers, as clouds have
    /// it: `203.0.113.7`, for every local address of its family but loopback and link-local; or `203.0.113.7/10.0.0.5`,
    /// for that local address alone. They are told to the other side as candidates, next to the local ones.
    public var publicAddresses: [String] = []
    /// Tell the other side the ``publicAddresses`` only, and not the local addresses behind them.
    public var hidesLocalAddresses = false
    /// Be an ICE-lite agent (RFC 8445 section 2.5): answer checks and make none. For a server whose UDP ports everybody
    /// reaches, and for peers that answer no checks of consent (RFC 7675) once they are connected. The other side has to
    /// be a full agent. The call ends when nothing authentic was heard of it for 30 seconds.
    public var isICELite = false
    /// The most that video takes, in kbit/s, the least, and what it starts at.
    public var maximumVideoKilobitsPerSecond = 2500
    public var minimumVideoKilobitsPerSecond = 150
    public var startVideoKilobitsPerSecond = 1800
    /// The bitrate of each audio track in kbit/s.
    public var audioKilobitsPerSecond = 40
    /// The channels that received sound is handed over in: 1 or 2.
    public var receivedAudioChannels = 1
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

extension CallConfiguration {
    /// The bitrates that can be asked for, in kbit/s. The upper end is far above what any path carries.
    static let possibleKilobits = 1...1_000_000
    /// The sizes that can be asked for, each way.
    static let possiblePixels = 2...16_384

    /// - Throws: ``CallError/badConfiguration(_:)``.
    func peerSettings(wallClock: WallClock, certificate: Certificate) throws(CallError) -> PeerConfiguration {
        var settings = PeerConfiguration(wallClock: wallClock, certificate: certificate)
        switch addressProfile {
        case .client: settings.ice.addressPolicy = .client
        case .server: settings.ice.addressPolicy = .server
        case .lab: settings.ice.addressPolicy = .lab
        }
        for server in stunServers {
            guard let address = TransportAddress(withPort: server) else {
                throw .badConfiguration(
                    "the STUN server '\(server)' is not a numeric address with a port, as 192.0.2.1:3478")
            }
            settings.ice.stunServers.append(address)
        }
        settings.ice.publicAddresses = try parsedPublicAddresses()
        settings.ice.hidesMappedHosts = hidesLocalAddresses
        settings.ice.isLite = isICELite
        try checkPorts()
        settings.bandwidth = try bandwidth()
        guard (6...510).contains(audioKilobitsPerSecond) else {
            throw .badConfiguration("an audio bitrate of \(audioKilobitsPerSecond) kbit/s; 6 to 510 are possible")
        }
        guard (1...2).contains(receivedAudioChannels) else {
            throw .badConfiguration("received sound in \(receivedAudioChannels) channels; 1 and 2 are possible")
        }
        if let size = maximumVideoSize,
            !Self.possiblePixels.contains(size.width) || !Self.possiblePixels.contains(size.height)
        {
            throw .badConfiguration("pictures of at most \(size); each way \(Self.possiblePixels) is possible")
        }
        settings.description.audioCodecs = [
            .opus(stereo: receivedAudioChannels == 2, discontinuous: discontinuousAudio)
        ]
        return settings
    }

    static let sharedAddresses = "a call on a shared port has the port's addresses: name none, and no range of ports"

    private func checkPorts() throws(CallError) {
        if sharedPort != nil, !localAddresses.isEmpty || udpPorts != nil {
            throw .badConfiguration(Self.sharedAddresses)
        }
        if let udpPorts, udpPorts.lowerBound == 0 {
            throw .badConfiguration("the UDP ports \(udpPorts.lowerBound)-\(udpPorts.upperBound); the lowest is 1")
        }
    }

    /// - Throws: ``CallError/badConfiguration(_:)``.
    func parsedPublicAddresses() throws(CallError) -> [PublicAddress] {
        guard publicAddresses.count <= ICEConfiguration.maximumPublicAddresses else {
            throw .badConfiguration(
                "\(publicAddresses.count) public addresses; at most \(ICEConfiguration.maximumPublicAddresses)")
        }
        var found: [PublicAddress] = []
        for text in publicAddresses {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            let addresses = parts.compactMap { TransportAddress($0, port: 0) }
            guard addresses.count == parts.count, (1...2).contains(parts.count) else {
                throw .badConfiguration(
                    "the public address '\(text)' is not a numeric IP address, as 203.0.113.7 or 203.0.113.7/10.0.0.5")
            }
            let known = PublicAddress(addresses[0], local: addresses.count == 2 ? addresses[1] : nil)
            guard known.isPossible else {
                throw .badConfiguration(
                    "the public address '\(text)' is not one that can be reached from outside: unicast, and of the family of the local one"
                )
            }
            found.append(known)
        }
        return found
    }

    /// What the path is asked to carry: the pictures, and room for sound, headers and repair beside them.
    /// - Throws: ``CallError/badConfiguration(_:)``.
    func bandwidth() throws(CallError) -> BandwidthEstimator.Configuration {
        let (least, most) = (minimumVideoKilobitsPerSecond, maximumVideoKilobitsPerSecond)
        guard least <= most, Self.possibleKilobits.contains(least), Self.possibleKilobits.contains(most) else {
            throw .badConfiguration(
                "video bitrates of \(least) to \(most) kbit/s: the least must be above zero and not above the most")
        }
        let start = min(max(startVideoKilobitsPerSecond, least), most)
        var bandwidth = BandwidthEstimator.Configuration()
        bandwidth.minimum = .kilobitsPerSecond(least)
        bandwidth.start = .kilobitsPerSecond(start * 5 / 4 + 100)
        // Repair comes on top of what the encoders may take.
        bandwidth.maximum = .kilobitsPerSecond(most * 5 + 200)
        return bandwidth
    }
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
    /// Every port of ``CallConfiguration/udpPorts`` is taken at a local address.
    case noFreePort(ClosedRange<UInt16>, String)
    /// The session description of the other side cannot be used.
    case badDescription(String)
    /// What was asked does not fit where offer and answer stand.
    case wrongState(String)
    /// The call has failed: the reason in words.
    case failed(String)
    /// The call is over.
    case closed
    /// A codec, certificate or thread could not be had.
    case library(String)
    /// A file could not be written.
    case file(String)

    public var description: String {
        switch self {
        case .badConfiguration(let text): text
        case .noSocket(let text): text
        case .noFreePort(let ports, let host):
            "every UDP port of \(ports.lowerBound)-\(ports.upperBound) is taken at \(host): end a call or widen the range"
        case .badDescription(let text): "the other side's session description cannot be used: \(text)"
        case .wrongState(let text): "this does not fit where offer and answer stand: \(text)"
        case .failed(let text): text
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
