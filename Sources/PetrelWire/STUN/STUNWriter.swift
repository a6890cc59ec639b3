public import PetrelCore

/// Writes one STUN message into memory that the caller lends (RFC 8489 section 5).
///
/// Append the attributes, then MESSAGE-INTEGRITY, then FINGERPRINT, then ``finish()``. A message that does not fit is
/// given up as a whole. Padding is always zero (section 14).
public struct STUNWriter {
    private let buffer: UnsafeMutableRawBufferPointer
    private var length = STUNMessage.headerLength
    private var failed = false
    private let transaction: STUNTransactionID

    /// - Parameter buffer: where the message goes; it must outlive the writer.
    public init(
        into buffer: UnsafeMutableRawBufferPointer, _ messageClass: STUNMessage.Class,
        method: UInt16 = STUNMessage.binding, transaction: STUNTransactionID
    ) {
        self.buffer = buffer
        self.transaction = transaction
        guard buffer.count >= STUNMessage.headerLength else {
            failed = true
            return
        }
        let bits = UInt16(messageClass.rawValue)
        let type =
            (method & 0x000F) | ((method & 0x0070) << 1) | ((method & 0x0F80) << 2) | ((bits & 1) << 4)
            | ((bits & 2) << 7)
        store(type, at: 0)
        store(UInt16(0), at: 2)
        store(STUNMessage.magicCookie, at: 4)
        store(transaction.high, at: 8)
        store(transaction.low, at: 12)
    }

    private func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        buffer.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }

    /// Reserves an attribute of `size` octets, padded with zero. Answers where its value begins.
    private mutating func open(_ type: UInt16, size: Int) -> Int? {
        let padded = (size + 3) & ~3
        guard !failed, size >= 0, size <= 0xFFFF, length + 4 + padded <= min(buffer.count, STUNMessage.maximumLength)
        else {
            failed = true
            return nil
        }
        store(type, at: length)
        store(UInt16(truncatingIfNeeded: size), at: length + 2)
        let start = length + 4
        if padded > size {
            for offset in (start + size)..<(start + padded) { buffer[offset] = 0 }
        }
        length = start + padded
        store(UInt16(truncatingIfNeeded: length - STUNMessage.headerLength), at: 2)
        return start
    }

    /// Appends an attribute with any octets as its value.
    public mutating func append(_ type: UInt16, _ value: [UInt8]) {
        guard let start = open(type, size: value.count) else { return }
        for (index, octet) in value.enumerated() { buffer[start + index] = octet }
    }

    /// Appends an attribute without a value, such as USE-CANDIDATE.
    public mutating func append(_ type: UInt16) { _ = open(type, size: 0) }

    /// Appends an attribute of 32 bits, such as PRIORITY.
    public mutating func append(_ type: UInt16, _ value: UInt32) {
        if let start = open(type, size: 4) { store(value, at: start) }
    }

    /// Appends an attribute of 64 bits, such as ICE-CONTROLLING.
    public mutating func append(_ type: UInt16, _ value: UInt64) {
        if let start = open(type, size: 8) { store(value, at: start) }
    }

    /// Appends XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
    public mutating func appendXORMappedAddress(_ address: TransportAddress) {
        let cookie = STUNMessage.magicCookie
        let isIPv4 = address.family == .ipv4
        guard let start = open(STUNAttributeType.xorMappedAddress, size: isIPv4 ? 8 : 20) else { return }
        buffer[start] = 0
        buffer[start + 1] = isIPv4 ? 1 : 2
        store(address.port ^ UInt16(cookie >> 16), at: start + 2)
        if isIPv4 {
            store(UInt32(truncatingIfNeeded: address.low) ^ cookie, at: start + 4)
        } else {
            store(address.high ^ (UInt64(cookie) << 32 | UInt64(transaction.high)), at: start + 4)
            store(address.low ^ transaction.low, at: start + 12)
        }
    }

    /// Appends ERROR-CODE without a reason phrase (RFC 8489 section 14.8): phrases are for people, and every octet
    /// of an answer to a stranger is an octet reflected.
    /// - Parameter code: 300...699.
    public mutating func appendErrorCode(_ code: Int) {
        guard (300...699).contains(code), let start = open(STUNAttributeType.errorCode, size: 4) else {
            failed = true
            return
        }
        store(UInt32(truncatingIfNeeded: (code / 100) << 8 | (code % 100)), at: start)
    }

    /// Appends UNKNOWN-ATTRIBUTES (RFC 8489 section 14.9).
    public mutating func appendUnknownAttributes(_ types: [UInt16]) {
        guard let start = open(STUNAttributeType.unknownAttributes, size: types.count * 2) else { return }
        for (index, type) in types.enumerated() { store(type, at: start + index * 2) }
    }

    /// Appends MESSAGE-INTEGRITY (RFC 8489 section 14.5): `mac` answers HMAC-SHA1 over what it is given.
    public mutating func appendIntegrity(mac: (RawSpan) -> [UInt8]) {
        let covered = length
        guard let start = open(STUNAttributeType.messageIntegrity, size: 20) else { return }
        let value = mac(UnsafeRawBufferPointer(rebasing: buffer[..<covered]).bytes)
        guard value.count == 20 else {
            failed = true
            return
        }
        for (index, octet) in value.enumerated() { buffer[start + index] = octet }
    }

    /// Appends FINGERPRINT (RFC 8489 section 14.7), the last attribute.
    public mutating func appendFingerprint() {
        let covered = length
        guard let start = open(STUNAttributeType.fingerprint, size: 4) else { return }
        store(STUNFingerprint.value(of: UnsafeRawBufferPointer(buffer).bytes, count: covered), at: start)
    }

    /// The length of the message in octets; nil where it did not fit.
    public func finish() -> Int? { failed ? nil : length }
}
