import PetrelCore
import PetrelMedia
import PetrelWire

/// Heads of parity packets of any bytes: what is read can be written and read again.
func fuzzFECHeader(_ input: UnsafeRawBufferPointer) {
    for format in FECFormat.allCases {
        guard let (header, offset) = try? FECHeader.parse(input.bytes, format: format) else { continue }
        require(!header.mask.isEmpty && header.mask.last < FECMask.limit, "a mask names packets")
        require(offset + header.protectionLength <= input.count, "the body lies inside")
        require(header.protectionLength <= FECHeader.maximumProtection, "the body is bounded")
        var bytes = [UInt8](repeating: 0, count: FECHeader.maximumLength + header.protectionLength)
        let length = bytes.withUnsafeMutableBytes { header.write(into: $0) }
        guard let length else {
            return require(header.mask.last >= FECHeader.span(of: format), "a head can be written")
        }
        var again: FECHeader?
        bytes.withUnsafeBytes {
            again = try? FECHeader.parse(
                UnsafeRawBufferPointer(rebasing: $0[..<(length + header.protectionLength)]).bytes, format: format
            ).header
        }
        require(again == header, "a head is read as it was written")
    }
}

/// Recovery against its encoder: packets and true parity packets in any order and number, and lies among them. As long
/// as nobody has lied, what comes out is what went in.
func fuzzFECReceiver(_ input: UnsafeRawBufferPointer) {
    var cursor = ByteCursor(input)
    let ssrc: UInt32 = 0x0102_0304
    let flags = cursor.byte()
    let format = FECFormat.allCases[Int(flags) % 3]
    let start = Int64(cursor.word()) + 65_536
    var receiver = FECReceiver()
    var hasLied = false
    /// The packet with a number, the same each time.
    func packet(_ sequence: Int64) -> [UInt8] {
        let number = UInt16(truncatingIfNeeded: sequence)
        var bytes: [UInt8] = [
            0x80 | UInt8(truncatingIfNeeded: sequence & 0x3F), UInt8(truncatingIfNeeded: sequence &* 7),
            UInt8(number >> 8), UInt8(number & 0xFF), 0, 0, UInt8(number & 0xFF), 9, 1, 2, 3, 4,
        ]
        for index in 0..<Int(sequence % 23) { bytes.append(UInt8(truncatingIfNeeded: Int(sequence) &* 31 &+ index)) }
        return bytes
    }
    let slot = UnsafeMutableRawBufferPointer.allocate(byteCount: FECReceiver.maximumPacket, alignment: 8)
    defer { slot.deallocate() }
    while !cursor.isEmpty {
        let code = cursor.byte()
        let sequence = start + Int64(cursor.word() & 0x1FF)
        if code & 3 == 0 || code & 3 == 1 {
            packet(sequence).withUnsafeBytes { receiver.insert($0, sequence: sequence) }
        } else if code & 3 == 2 {
            var mask = FECMask()
            for _ in 0...(code >> 4) { mask.insert(Int(cursor.byte()) % FECHeader.span(of: format)) }
            var header = FECHeader(
                format: format, base: UInt16(truncatingIfNeeded: sequence), mask: mask, protectedSSRC: ssrc)
            var body = [UInt8](repeating: 0, count: 22)
            header.protectionLength = body.count
            for index in 0...mask.last where mask[index] {
                packet(sequence + Int64(index)).withUnsafeBytes { packet in
                    body.withUnsafeMutableBytes { body in
                        require(FECCombination.add(packet, to: &header, body: body), "a packet fits")
                    }
                }
            }
            var bytes = [UInt8](repeating: 0, count: FECHeader.maximumLength)
            let length = bytes.withUnsafeMutableBytes { header.write(into: $0) }
            let payload = bytes[..<(length ?? 0)] + body
            Array(payload).withUnsafeBytes { try? receiver.insert(repair: $0, format: format, ssrc: ssrc) }
        } else {
            hasLied = true
            try? receiver.insert(repair: cursor.chunk(), format: format, ssrc: ssrc)
        }
        var count = 0
        while let (length, number) = receiver.recover(ssrc: ssrc, into: slot) {
            count += 1
            require(count <= FECReceiver.repairCapacity, "recovery comes to an end")
            require(length >= 12 && length <= FECReceiver.maximumPacket && slot[0] >> 6 == 2, "a packet comes out")
            require(
                hasLied || Array(slot[..<length]) == packet(number), "what comes out is what went in")
        }
    }
}
