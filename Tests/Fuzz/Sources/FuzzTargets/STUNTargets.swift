import PetrelCore
import PetrelSDP
import PetrelSecurity
import PetrelWire

private let password = Array("shared-vector-password-22".utf8)

/// STUN: what was read can be written, and reads the same again; ranges lie within the message.
func fuzzSTUN(_ input: UnsafeRawBufferPointer) {
    let bytes = input.bytes
    let looks = STUNMessage.looksLikeSTUN(bytes)
    guard let message = try? STUNMessage(parsing: bytes) else { return }
    // A first octet from 4 on is a method that nobody has defined, and another protocol's on a shared port (RFC 7983).
    require(looks || input[0] >= 4, "a message that parses looks like one")
    require(message.length == input.count, "a message is as long as its datagram")
    for range in [message.username, message.software, message.realm, message.nonce, message.errorReason] {
        guard let range else { continue }
        require(range.lowerBound >= 20 && range.upperBound <= input.count, "a value lies within the message")
        require(STUNMessage.copy(bytes, range).count == range.count, "a value can be copied")
    }
    _ = message.isAuthentic(bytes) { HMACSHA1.authenticate($0, key: password) }
    _ = message.unknownRequiredTypes

    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
        guard let length = rewrite(message, bytes, into: buffer) else { return }
        let written = UnsafeRawBufferPointer(rebasing: buffer[..<length])
        guard let again = try? STUNMessage(parsing: written.bytes) else {
            return require(false, "what was written can be read")
        }
        require(again.messageClass == message.messageClass && again.method == message.method, "class and method")
        require(again.transaction == message.transaction, "transaction")
        require(again.priority == message.priority && again.useCandidate == message.useCandidate, "ICE attributes")
        require(
            again.iceControlling == message.iceControlling && again.iceControlled == message.iceControlled, "roles")
        require(again.xorMappedAddress == message.xorMappedAddress, "address")
        require(again.errorCode == message.errorCode, "error code")
        require(again.hasFingerprint, "fingerprint")
        for (old, new) in [
            (message.username, again.username), (message.realm, again.realm), (message.nonce, again.nonce),
            (message.software, again.software),
        ] {
            require(
                old.map { STUNMessage.copy(bytes, $0) } == new.map { STUNMessage.copy(written.bytes, $0) }, "text")
        }
        require(
            again.isAuthentic(written.bytes) { HMACSHA1.authenticate($0, key: password) }, "own integrity is right")
    }
}

private func rewrite(_ message: STUNMessage, _ bytes: RawSpan, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    var writer = STUNWriter(
        into: buffer, message.messageClass, method: message.method, transaction: message.transaction)
    if let range = message.username { writer.append(STUNAttributeType.username, STUNMessage.copy(bytes, range)) }
    if let range = message.realm { writer.append(STUNAttributeType.realm, STUNMessage.copy(bytes, range)) }
    if let range = message.nonce { writer.append(STUNAttributeType.nonce, STUNMessage.copy(bytes, range)) }
    if let range = message.software { writer.append(STUNAttributeType.software, STUNMessage.copy(bytes, range)) }
    if let value = message.priority { writer.append(STUNAttributeType.priority, value) }
    if message.useCandidate { writer.append(STUNAttributeType.useCandidate) }
    if let value = message.iceControlling { writer.append(STUNAttributeType.iceControlling, value) }
    if let value = message.iceControlled { writer.append(STUNAttributeType.iceControlled, value) }
    if let value = message.xorMappedAddress { writer.appendXORMappedAddress(value) }
    if let value = message.errorCode { writer.appendErrorCode(value) }
    writer.appendIntegrity { HMACSHA1.authenticate($0, key: password) }
    writer.appendFingerprint()
    return writer.finish()
}

/// Candidate lines: what was read can be printed, and reads the same again.
func fuzzCandidateLine(_ input: UnsafeRawBufferPointer) {
    guard case .candidate(let candidate) = CandidateLine(text(input)) else { return }
    guard let printed = candidate.attribute else { return require(false, "a candidate that was read can be printed") }
    guard case .candidate(let again) = CandidateLine(printed) else { return require(false, "and read: \(printed)") }
    var expected = candidate
    // Where the line had none, the printed one says that there is nothing to tell.
    if expected.relatedAddress == nil { expected.relatedAddress = again.relatedAddress }
    require(again == expected, "parse, print, parse: \(printed)")
    require(again.attribute == printed, "printing is stable")
}
