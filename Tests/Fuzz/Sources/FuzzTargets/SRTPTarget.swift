import PetrelCore
import PetrelSecurity

/// SRTP and SRTCP: what a stranger sends is never taken; what the peer sends is taken once, and as it was meant.
func fuzzSRTPOpen(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let profile = SRTPProfile.allCases[Int(cursor.byte()) % SRTPProfile.allCases.count]
    let sender = SRTPFixtures.session(profile, .client)
    let receiver = SRTPFixtures.session(profile, .server)
    var last: (bytes: [UInt8], isRTCP: Bool)?
    while !cursor.isEmpty {
        let code = cursor.byte()
        let isRTCP = code & 8 != 0
        switch code & 7 {
        case 0, 1:
            require(!opens(receiver, cursor.chunk(), isRTCP: isRTCP), "a stranger's packet was taken")
        case 2, 3, 4:
            let plain = cursor.chunk()
            guard let sealed = seal(sender, plain, isRTCP: isRTCP, fixesVersion: code & 16 != 0) else { continue }
            last = (sealed.sealed, isRTCP)
            sealed.sealed.withUnsafeBytes { bytes in
                withCopy(of: bytes) { copy in
                    guard let length = try? open(receiver, copy, isRTCP: isRTCP) else { return }
                    require(Array(copy[..<length]) == sealed.plain, "what was opened is what was protected")
                    // A second time it is a replay, whatever else happened.
                    require(!opens(receiver, bytes, isRTCP: isRTCP), "a packet was taken twice")
                }
            }
        case 5, 6:
            guard let (sealed, isRTCP) = last else { continue }
            var bytes = sealed
            let place = Int(cursor.word()) % bytes.count
            bytes[place] ^= max(1, cursor.byte())
            bytes.withUnsafeBytes { require(!opens(receiver, $0, isRTCP: isRTCP), "a changed packet was taken") }
        default:
            guard let (bytes, isRTCP) = last else { continue }
            let shorter = bytes.prefix(Int(cursor.word()) % bytes.count)
            shorter.withUnsafeBytes { require(!opens(receiver, $0, isRTCP: isRTCP), "a cut packet was taken") }
        }
    }
}

private func seal(
    _ session: SRTPSession, _ plain: UnsafeRawBufferPointer, isRTCP: Bool, fixesVersion: Bool
) -> (sealed: [UInt8], plain: [UInt8])? {
    withCopy(of: plain, room: SRTPSession.rtcpTrailerRoom) { copy in
        if fixesVersion, plain.count > 0 { copy[0] = copy[0] & 0x3F | 0x80 }
        let original = Array(copy[..<plain.count])
        let length =
            isRTCP
            ? try? session.protectRTCP(copy, length: plain.count) : try? session.protectRTP(copy, length: plain.count)
        return length.map { (Array(copy[..<$0]), original) }
    }
}

private func open(_ session: SRTPSession, _ copy: UnsafeMutableRawBufferPointer, isRTCP: Bool) throws(DropReason) -> Int
{
    isRTCP ? try session.openRTCP(copy, length: copy.count) : try session.openRTP(copy, length: copy.count)
}

private func opens(_ session: SRTPSession, _ bytes: UnsafeRawBufferPointer, isRTCP: Bool) -> Bool {
    withCopy(of: bytes) { (try? open(session, $0, isRTCP: isRTCP)) != nil }
}

enum SRTPFixtures {
    static func session(_ profile: SRTPProfile, _ role: DTLSRole) -> SRTPSession {
        let octets = 2 * (profile.keyLength + profile.saltLength)
        guard
            let material = SRTPKeyingMaterial(
                profile: profile, exported: (0..<octets).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) })
        else { fatalError("keys of the right length") }
        do { return try SRTPSession(material, role: role) } catch { fatalError("\(error)") }
    }
}
