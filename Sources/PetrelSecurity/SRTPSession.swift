internal import CPetrelSecurity
internal import CSRTP
public import PetrelCore

/// Protects what one endpoint sends and opens what it receives, RTP and RTCP, under the keys of one DTLS handshake
/// (RFC 3711, RFC 7714), in place and without touching the heap itself.
///
/// Every SSRC gets its own state on its first packet: outbound when it is protected, inbound only after it was
/// authenticated. A packet that fails changes nothing. Inbound duplicates and packets older than the window are
/// refused; outbound a packet may be protected again only if it is the same bit for bit. One owner, one thread at a
/// time; the bytes should start at a multiple of four, since libsrtp2 reads words.
///
/// The rollover counter is guessed from the sequence numbers (RFC 3711 section 3.3.1): a sender starts below 2^15, and
/// a receiver that misses 2^15 packets in a row around a wrap cannot open that SSRC again under these keys.
public final class SRTPSession {
    /// The replay window in packets: at 2,000 packets per second half a second of reordering. RFC 3711 section 3.3.2
    /// asks for at least 64; each SSRC costs a bit per packet.
    public static let replayWindow = 1024

    /// The free octets `protectRTP` needs behind a packet: a 16-octet tag. libsrtp2 writes no more than the tag, as no
    /// MKI is used.
    public static let rtpTrailerRoom = 16
    /// The free octets `protectRTCP` needs: a 16-octet tag and the index word.
    public static let rtcpTrailerRoom = 20

    private enum Transform {
        case srtp(outbound: srtp_t, inbound: srtp_t, SRTPProfile)
        case noEncryptionForBenchmarks
    }

    private let transform: Transform

    /// Packets protected and opened, RTP and RTCP together.
    public private(set) var protectedPackets: UInt64 = 0
    public private(set) var openedPackets: UInt64 = 0
    /// What was refused and why, in both directions.
    public private(set) var drops = DropCounters()

    private static let libraryReady: Bool = srtp_init() == srtp_err_status_ok

    /// Takes the keys of a handshake.
    /// - Parameters:
    ///   - role: this endpoint's side of the handshake.
    ///   - replayWindow: the packets behind the newest that are still taken, 64 to 32,767.
    public init(
        _ material: borrowing SRTPKeyingMaterial, role: DTLSRole, replayWindow: Int = SRTPSession.replayWindow
    ) throws(DTLSFailure) {
        guard Self.libraryReady else { throw DTLSFailure(.library, "libsrtp2 did not start") }
        let profile = material.profile
        let window = UInt(min(max(replayWindow, 64), 32_767))
        let peer: DTLSRole = role == .client ? .server : .client
        let outbound = Self.direction(material, writtenBy: role, outbound: true, window: window)
        let inbound = Self.direction(material, writtenBy: peer, outbound: false, window: window)
        guard let outbound, let inbound else {
            if let outbound { srtp_dealloc(outbound) }
            if let inbound { srtp_dealloc(inbound) }
            throw DTLSFailure(.library, "libsrtp2 refused the keys of \(profile)")
        }
        transform = .srtp(outbound: outbound, inbound: inbound, profile)
    }

    private init(_ transform: Transform) { self.transform = transform }

    /// A session that neither encrypts nor authenticates, to measure everything but the cipher. No negotiation leads
    /// here: ``SRTPProfile`` has no such value, and the initialiser with keys cannot make one.
    public static func noEncryptionForBenchmarks() -> SRTPSession { SRTPSession(.noEncryptionForBenchmarks) }

    deinit {
        // libsrtp2 wipes its session keys when it frees them.
        if case .srtp(let outbound, let inbound, _) = transform {
            srtp_dealloc(outbound)
            srtp_dealloc(inbound)
        }
    }

    /// The profile in use; nil where nothing is encrypted.
    public var profile: SRTPProfile? {
        if case .srtp(_, _, let profile) = transform { profile } else { nil }
    }

    /// Turns the RTP packet in the first `length` octets into SRTP.
    /// - Returns: the length of the SRTP packet.
    /// - Throws: ``DropReason/badLength`` where the header does not fit or ``rtpTrailerRoom`` octets are not free,
    ///   ``DropReason/srtpReplay`` where the packet is older than the window, ``DropReason/srtpFailed`` otherwise.
    public func protectRTP(
        _ packet: UnsafeMutableRawBufferPointer, length: Int
    ) throws(DropReason) -> Int {
        guard SRTPPacketCheck.rtpHeaderLength(UnsafeRawBufferPointer(packet), length: length) != nil,
            packet.count - length >= Self.rtpTrailerRoom
        else { throw refuse(.badLength) }
        guard case .srtp(let outbound, _, _) = transform else {
            protectedPackets &+= 1
            return length
        }
        var result = Int32(truncatingIfNeeded: length)
        try check(srtp_protect(outbound, packet.baseAddress, &result))
        protectedPackets &+= 1
        return Int(result)
    }

    /// Turns the compound RTCP packet in the first `length` octets into SRTCP.
    /// - Returns: the length of the SRTCP packet.
    /// - Throws: as ``protectRTP(_:length:)``, with ``rtcpTrailerRoom``.
    public func protectRTCP(
        _ packet: UnsafeMutableRawBufferPointer, length: Int
    ) throws(DropReason) -> Int {
        guard SRTPPacketCheck.isRTCP(UnsafeRawBufferPointer(packet), length: length),
            packet.count - length >= Self.rtcpTrailerRoom
        else { throw refuse(.badLength) }
        guard case .srtp(let outbound, _, _) = transform else {
            protectedPackets &+= 1
            return length
        }
        var result = Int32(truncatingIfNeeded: length)
        try check(srtp_protect_rtcp(outbound, packet.baseAddress, &result))
        protectedPackets &+= 1
        return Int(result)
    }

    /// Lets go what is kept for an inbound source that nobody wants. Every authentic source gets such state, and a
    /// search through all of it costs every packet time.
    ///
    /// Only for sources whose packets are dropped: with the state goes the memory of which packets came before.
    public func forgetInbound(ssrc: UInt32) {
        guard case .srtp(_, let inbound, _) = transform else { return }
        _ = srtp_remove_stream(inbound, ssrc.bigEndian)
    }

    /// Opens the SRTP packet in the first `length` octets.
    ///
    /// After an error the bytes may be partly decrypted and must not be read.
    /// - Returns: the length of the RTP packet.
    /// - Throws: ``DropReason/srtpTooShort`` where header and tag do not fit, ``DropReason/srtpAuthentication``,
    ///   ``DropReason/srtpReplay`` for a duplicate or one older than the window, ``DropReason/srtpFailed`` otherwise.
    public func openRTP(
        _ packet: UnsafeMutableRawBufferPointer, length: Int
    ) throws(DropReason) -> Int {
        guard let header = SRTPPacketCheck.rtpHeaderLength(UnsafeRawBufferPointer(packet), length: length) else {
            throw refuse(.srtpTooShort)
        }
        guard case .srtp(_, let inbound, let profile) = transform else {
            openedPackets &+= 1
            return length
        }
        guard length - header >= profile.tagLength else { throw refuse(.srtpTooShort) }
        var result = Int32(truncatingIfNeeded: length)
        try check(srtp_unprotect(inbound, packet.baseAddress, &result))
        openedPackets &+= 1
        return Int(result)
    }

    /// Opens the SRTCP packet in the first `length` octets.
    /// - Returns: the length of the RTCP packet.
    /// - Throws: as ``openRTP(_:length:)``.
    public func openRTCP(
        _ packet: UnsafeMutableRawBufferPointer, length: Int
    ) throws(DropReason) -> Int {
        guard SRTPPacketCheck.isRTCP(UnsafeRawBufferPointer(packet), length: length) else {
            throw refuse(.srtpTooShort)
        }
        guard case .srtp(_, let inbound, let profile) = transform else {
            openedPackets &+= 1
            return length
        }
        guard length >= SRTPPacketCheck.rtcpHeader + profile.controlTrailerLength else { throw refuse(.srtpTooShort) }
        var result = Int32(truncatingIfNeeded: length)
        try check(srtp_unprotect_rtcp(inbound, packet.baseAddress, &result))
        openedPackets &+= 1
        return Int(result)
    }

    private static func direction(
        _ material: borrowing SRTPKeyingMaterial, writtenBy role: DTLSRole, outbound: Bool, window: UInt
    ) -> srtp_t? {
        let profile = UInt32(material.profile.rawValue)
        return material.withKeyAndSalt(writtenBy: role) { keyAndSalt in
            var session: srtp_t?
            let status = petrel_srtp_create(&session, profile, outbound ? 1 : 0, keyAndSalt, window)
            return status == srtp_err_status_ok ? session : nil
        }
    }

    @inline(__always)
    private func check(_ status: srtp_err_status_t) throws(DropReason) {
        guard status != srtp_err_status_ok else { return }
        switch status {
        case srtp_err_status_auth_fail: throw refuse(.srtpAuthentication)
        case srtp_err_status_replay_fail, srtp_err_status_replay_old: throw refuse(.srtpReplay)
        case srtp_err_status_parse_err: throw refuse(.srtpTooShort)
        default: throw refuse(.srtpFailed)
        }
    }

    private func refuse(_ reason: DropReason) -> DropReason {
        drops.count(reason)
        return reason
    }
}
