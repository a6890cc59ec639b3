import PetrelCore
import PetrelWire

/// The bytes that a text of hexadecimal digits means; spaces and line ends are ignored.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
}

/// What `parse` said about `bytes`: its value, or the reason it threw.
func outcome<Value>(_ parse: () throws(DropReason) -> Value) -> Result<Value, DropReason> {
    do { return .success(try parse()) } catch { return .failure(error) }
}

func rtp(_ bytes: [UInt8]) throws(DropReason) -> RTPHeader { try RTPHeader(parsing: bytes.span.bytes) }

func rtcp(_ bytes: [UInt8]) throws(DropReason) -> [RTCPPacket] { try RTCPCompound.parse(bytes.span.bytes) }

/// Runs `body` on every prefix of `bytes` and on `bytes` with every single bit flipped.
func mutations(of bytes: [UInt8], _ body: ([UInt8]) -> Void) {
    for length in 0...bytes.count { body(Array(bytes[..<length])) }
    var copy = bytes
    for bit in 0..<(bytes.count * 8) {
        copy[bit / 8] ^= 1 << UInt8(bit % 8)
        body(copy)
        copy[bit / 8] ^= 1 << UInt8(bit % 8)
    }
}

/// Reads everything this room can read from `bytes`; a trap is the only failure.
func readEverything(_ bytes: [UInt8]) {
    let span = bytes.span.bytes
    _ = Demultiplexer.classify(span)
    var map = RTPExtensionMap(
        mid: 1, rid: 2, absSendTime: 3, transportSequenceNumber: 4, absCaptureTime: 5, audioLevel: 6)
    if let header = try? RTPHeader(parsing: span) {
        for _ in 0..<2 {
            _ = RTPExtensions(reading: span, header: header, map: map)
            (map.mid, map.absSendTime, map.audioLevel) = (map.audioLevel, map.mid, map.absSendTime)
        }
        _ = header.csrc(header.csrcCount - 1, in: span)
        _ = try? RTX.originalSequenceNumber(in: span, header: header)
        withUnsafeTemporaryAllocation(byteCount: 1600, alignment: 8) { buffer in
            _ = try? RTX.unwrap(span, header: header, into: buffer, payloadType: 96, ssrc: 1)
            _ = RTX.wrap(span, header: header, into: buffer, payloadType: 97, sequenceNumber: 1, ssrc: 2)
        }
    }
    if let header = try? RTPHeader(parsingHeaderOf: span) {
        _ = RTPExtensions(reading: span, header: header, map: map)
    }
    _ = try? VP8PayloadDescriptor.parse(span)
    _ = try? VP8FrameHeader(parsing: span)
    _ = OpusPacket.samples(in: span)
    if let packets = try? RTCPCompound.parse(span) {
        for case .transportFeedback(let feedback) in packets {
            feedback.forEachPacket { _ in }
        }
    }
}
