internal import COpenSSL
internal import CPetrelSecurity
internal import PetrelCore

/// One record on its way out.
struct DTLSOutboundRecord {
    var type: UInt8
    var epoch: UInt16
    var sequence: UInt64
    var bytes: [UInt8]
    /// The text of an encrypted record of ours, so that it can be sealed again.
    var text: [UInt8]?

    /// Splits what OpenSSL wrote on the record headers.
    static func split(_ output: UnsafeRawBufferPointer) -> [DTLSOutboundRecord] {
        var records: [DTLSOutboundRecord] = []
        var offset = 0
        while let record = DTLSRecord(output, at: offset) {
            records.append(
                DTLSOutboundRecord(
                    type: record.type.rawValue, epoch: record.epoch, sequence: record.sequence,
                    bytes: [UInt8](record.bytes)))
            offset += record.bytes.count
        }
        return records
    }
}

/// Seals records of our own direction in epoch 1.
///
/// A repeated Finished must now and then be a new record (RFC 6347 section 4.2.2): a server that has taken it already
/// drops a copy as a replay and would never repeat the answer that was lost. OpenSSL makes at most twelve repeats, on its
/// own clock, and then gives up; so they are sealed here, with the keys of the association and sequence numbers (and so
/// nonces) that OpenSSL has not used on the wire.
struct DTLSSealer: ~Copyable {
    private var keys = petrel_dtls_sealer()
    /// The sequence number of the next record in epoch 1.
    private(set) var next: UInt64 = 0

    /// The write keys of the association; nil where it has none yet.
    init?(_ association: OpaquePointer) {
        guard petrel_dtls_sealer_init(association, &keys) == 1 else { return nil }
    }

    deinit {
        var keys = keys
        OPENSSL_cleanse(&keys, MemoryLayout<petrel_dtls_sealer>.size)
    }

    /// The text of a record that OpenSSL sealed with the same keys; nil where the keys are not its.
    mutating func open(_ record: [UInt8]) -> [UInt8]? {
        var length = 0
        var text = [UInt8](repeating: 0, count: record.count)
        guard petrel_dtls_open_own(&keys, record, record.count, &text, &length) == 1 else { return nil }
        return Array(text.prefix(length))
    }

    /// Notes that a sequence number is on the wire. Answers false where it was there before.
    mutating func use(_ sequence: UInt64) -> Bool {
        guard sequence >= next else { return false }
        next = sequence + 1
        return true
    }

    /// A new record with this text.
    mutating func seal(type: UInt8, _ text: [UInt8]) -> [UInt8]? {
        var length = 0
        var record = [UInt8](repeating: 0, count: text.count + 13 + 24)
        guard petrel_dtls_seal(&keys, next, type, text, text.count, &record, &length) == 1 else { return nil }
        next += 1
        record.removeLast(record.count - length)
        return record
    }
}
