/// Takes datagrams of a handshake in the clear apart and puts them together again, for tests that change them.
struct Record: Equatable {
    var type: UInt8
    var epoch: Int
    var sequence: UInt64
    var body: [UInt8]

    var bytes: [UInt8] {
        [type, 0xFE, 0xFD, UInt8(epoch >> 8), UInt8(epoch & 255)]
            + (0..<6).map { UInt8(truncatingIfNeeded: sequence >> UInt64(40 - 8 * $0)) }
            + [UInt8(body.count >> 8), UInt8(body.count & 255)] + body
    }

    static func split(_ datagram: [UInt8]) -> [Record] {
        var records: [Record] = []
        var offset = 0
        while offset + 13 <= datagram.count {
            let length = Int(datagram[offset + 11]) << 8 | Int(datagram[offset + 12])
            guard offset + 13 + length <= datagram.count else { break }
            var sequence: UInt64 = 0
            for index in 5..<11 { sequence = sequence << 8 | UInt64(datagram[offset + index]) }
            records.append(
                Record(
                    type: datagram[offset], epoch: Int(datagram[offset + 3]) << 8 | Int(datagram[offset + 4]),
                    sequence: sequence, body: Array(datagram[(offset + 13)..<(offset + 13 + length)])))
            offset += 13 + length
        }
        return records
    }

    /// The type of the handshake message, where this is a handshake record in the clear.
    var messageType: UInt8? { type == 22 && epoch == 0 && body.count >= 12 ? body[0] : nil }

    /// One handshake fragment in a record.
    static func fragment(
        type: UInt8, total: Int, sequence: Int, offset: Int, _ bytes: [UInt8], length: Int? = nil
    ) -> Record {
        func number(_ value: Int, _ octets: Int) -> [UInt8] {
            (0..<octets).map { UInt8(truncatingIfNeeded: value >> (8 * (octets - 1 - $0))) }
        }
        let header =
            [type] + number(total, 3) + number(sequence, 2) + number(offset, 3) + number(length ?? bytes.count, 3)
        return Record(type: 22, epoch: 0, sequence: 0, body: header + bytes)
    }

    /// The message of this record in fragments of at most `size` octets.
    func fragmented(_ size: Int) -> [Record] {
        let message = Array(body.dropFirst(12))
        return stride(from: 0, to: message.count, by: size).map { start in
            .fragment(
                type: body[0], total: message.count, sequence: Int(body[4]) << 8 | Int(body[5]), offset: start,
                Array(message[start..<min(start + size, message.count)]))
        }
    }
}

extension [UInt8] {
    /// Where `pattern` begins.
    func position(of pattern: [UInt8]) -> Int? {
        guard count >= pattern.count else { return nil }
        return (0...(count - pattern.count)).first { Array(self[$0..<($0 + pattern.count)]) == pattern }
    }

    /// The datagram with the first `pattern` replaced by as many other octets.
    func replacing(_ pattern: [UInt8], with other: [UInt8]) -> [UInt8] {
        guard let start = position(of: pattern) else { return self }
        var result = self
        result.replaceSubrange(start..<(start + pattern.count), with: other)
        return result
    }
}
