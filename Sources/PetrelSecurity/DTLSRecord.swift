internal import PetrelCore

/// The content types a DTLS 1.2 record can have (RFC 5246 section 6.2.1).
enum DTLSContentType: UInt8 {
    case changeCipherSpec = 20
    case alert = 21
    case handshake = 22
    case applicationData = 23
}

/// One record inside a datagram: its header, read and bounded, and the whole record's bytes (RFC 6347 section 4.1).
struct DTLSRecord {
    /// Type, version, epoch, sequence number, length.
    static let headerLength = 13
    /// The longest body: 2^14 octets of text and what a cipher may add (RFC 6347 section 4.1, RFC 5246 section 6.2.3).
    static let maximumBody = 1 << 14 + 256

    let type: DTLSContentType
    let epoch: UInt16
    /// The 48-bit sequence number.
    let sequence: UInt64
    /// The record with its header.
    let bytes: UnsafeRawBufferPointer

    /// The record that starts at `offset`; nil where none fits there or it cannot be DTLS 1.2.
    init?(_ datagram: UnsafeRawBufferPointer, at offset: Int) {
        guard offset >= 0, datagram.count - offset >= Self.headerLength,
            let type = DTLSContentType(rawValue: datagram[offset]), datagram[offset + 1] == 0xFE
        else { return nil }
        let minor = datagram[offset + 2]
        let epoch = UInt16(datagram[offset + 3]) << 8 | UInt16(datagram[offset + 4])
        // A first ClientHello may say DTLS 1.0 in its record; what is encrypted says the agreed version.
        guard minor == 0xFD || (minor == 0xFF && epoch == 0) else { return nil }
        let length = Int(datagram[offset + 11]) << 8 | Int(datagram[offset + 12])
        guard length > 0, length <= Self.maximumBody, datagram.count - offset - Self.headerLength >= length else {
            return nil
        }
        var sequence: UInt64 = 0
        for index in 5..<11 { sequence = sequence << 8 | UInt64(datagram[offset + index]) }
        (self.type, self.epoch, self.sequence) = (type, epoch, sequence)
        bytes = UnsafeRawBufferPointer(rebasing: datagram[offset..<(offset + Self.headerLength + length)])
    }

    /// What follows the header.
    var body: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[Self.headerLength...]) }

    /// Writes a sequence number into the header of a record.
    static func renumber(_ record: inout [UInt8], _ sequence: UInt64) {
        guard record.count >= headerLength else { return }
        for index in 0..<6 { record[5 + index] = UInt8(truncatingIfNeeded: sequence >> UInt64(40 - 8 * index)) }
    }
}

/// The header of one handshake fragment (RFC 6347 section 4.2.2).
struct DTLSFragment {
    static let headerLength = 12

    let type: UInt8
    /// The length of the whole message.
    let messageLength: Int
    let messageSequence: Int
    let offset: Int
    let length: Int

    /// The fragment at `start`; nil where it does not fit into the record or into its own message.
    init?(_ body: UnsafeRawBufferPointer, at start: Int) {
        guard start >= 0, body.count - start >= Self.headerLength else { return nil }
        func number(_ at: Int, _ octets: Int) -> Int {
            (0..<octets).reduce(0) { $0 << 8 | Int(body[start + at + $1]) }
        }
        type = body[start]
        messageLength = number(1, 3)
        messageSequence = number(4, 2)
        offset = number(6, 3)
        length = number(9, 3)
        guard body.count - start - Self.headerLength >= length, offset + length <= messageLength else { return nil }
        // An empty fragment says something only of an empty message.
        guard length > 0 || messageLength == 0 else { return nil }
    }
}
