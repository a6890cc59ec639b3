import PetrelCodecs
import PetrelCore
import PetrelWire

/// The map that all targets use: every extension at the place where our own offers have it, RID beside them.
let extensionMap = RTPExtensionMap(
    mid: 4, rid: 6, absSendTime: 2, transportSequenceNumber: 3, absCaptureTime: 5, audioLevel: 1)
private let wideMap = RTPExtensionMap(
    mid: 4, rid: 6, absSendTime: 2, transportSequenceNumber: 30, absCaptureTime: 255, audioLevel: 1)

/// The first octets of any datagram: demultiplexing, the RTP header, its extensions and the payload descriptors.
func fuzzDemuxAndRTP(_ input: UnsafeRawBufferPointer) {
    let bytes = input.bytes
    let kind = Demultiplexer.classify(bytes)
    let preview = try? RTPHeader(parsingHeaderOf: bytes)
    guard let header = try? RTPHeader(parsing: bytes) else { return }
    require(kind == .rtp, "what parses as RTP is taken for RTP, not \(kind)")
    require(preview?.headerLength == header.headerLength, "padding does not move the payload")
    require(header.packetLength == input.count, "header, payload and padding make the packet")
    for index in 0..<16 {
        require((header.csrc(index, in: bytes) != nil) == (index < header.csrcCount), "contributing source \(index)")
    }
    for map in [extensionMap, wideMap, .none] {
        let extensions = RTPExtensions(reading: bytes, header: header, map: map)
        rewrite(header, extensions, map)
    }
    let payload = UnsafeRawBufferPointer(rebasing: input[header.payloadRange])
    fuzzVP8Descriptor(payload)
    fuzzOpusTOC(payload)
}

private func rewrite(_ header: RTPHeader, _ extensions: RTPExtensions, _ map: RTPExtensionMap) {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
        var offsets = RTPExtensionOffsets()
        let length = RTPHeader.write(
            into: buffer, marker: header.marker, payloadType: header.payloadType,
            sequenceNumber: header.sequenceNumber, timestamp: header.timestamp, ssrc: header.ssrc,
            extensions: extensions, map: map, offsets: &offsets)
        guard let length else { return require(false, "extensions that were read can be written") }
        require(length == RTPHeader.writtenLength(extensions: extensions, map: map), "the length is known before")
        let written = UnsafeRawBufferPointer(rebasing: buffer[..<length])
        guard let again = try? RTPHeader(parsing: written.bytes) else { return require(false, "and read again") }
        require(
            again.marker == header.marker && again.payloadType == header.payloadType
                && again.sequenceNumber == header.sequenceNumber && again.timestamp == header.timestamp
                && again.ssrc == header.ssrc && again.headerLength == length, "header fields")
        require(RTPExtensions(reading: written.bytes, header: again, map: map) == extensions, "extensions")
    }
}

/// The VP8 payload descriptor and frame header.
func fuzzVP8Descriptor(_ input: UnsafeRawBufferPointer) {
    guard let (descriptor, length) = try? VP8PayloadDescriptor.parse(input.bytes) else { return }
    require(length > 0 && length < input.count, "data follows the descriptor")
    require(length <= VP8PayloadDescriptor.maximumLength, "a descriptor has its greatest length")
    withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { buffer in
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        guard let written = descriptor.write(into: buffer) else { return require(false, "it can be written") }
        require(written == descriptor.length, "the length is known before")
        let again = try? VP8PayloadDescriptor.parse(UnsafeRawBufferPointer(rebasing: buffer[..<(written + 1)]).bytes)
        require(again?.descriptor == descriptor && again?.length == written, "parse, write, parse")
    }
    let frame = UnsafeRawBufferPointer(rebasing: input[length...])
    if let header = try? VP8FrameHeader(parsing: frame.bytes), header.isKeyFrame {
        require((1...16_383).contains(header.width) && (1...16_383).contains(header.height), "a picture has a size")
    }
}

/// The framing of Opus packets, compared with what libopus says of the same bytes.
func fuzzOpusTOC(_ input: UnsafeRawBufferPointer) {
    let theirs = OpusDecoder.samples(in: input)
    _ = OpusDecoder.hasFEC(input)
    guard let packet = try? OpusPacket(parsing: input.bytes) else { return }
    require((1...OpusPacket.maximumSamples).contains(packet.samples), "120 ms at the most: \(packet.samples)")
    require(packet.samples == theirs, "libopus says \(theirs ?? 0) samples, we say \(packet.samples)")
    require(packet.paddingLength < max(1, input.count), "padding lies within the packet")
    require(OpusPacket.samples(in: input.bytes) == packet.samples, "both ways to ask agree")
}

/// Retransmissions: an original that was wrapped comes out as it went in, but for its padding.
func fuzzRTX(_ input: UnsafeRawBufferPointer) {
    guard let header = try? RTPHeader(parsing: input.bytes) else { return }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count + 2, alignment: 16)
    let back = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count + 2, alignment: 16)
    defer {
        room.deallocate()
        back.deallocate()
    }
    // As a retransmission packet of somebody else's.
    if let length = try? RTX.unwrap(input.bytes, header: header, into: back, payloadType: 96, ssrc: 7) {
        let inner = UnsafeRawBufferPointer(rebasing: back[..<length])
        guard let original = try? RTPHeader(parsing: inner.bytes) else { return require(false, "an original is RTP") }
        require(original.ssrc == 7 && original.payloadType == 96 && original.paddingLength == 0, "and ours")
        require(original.timestamp == header.timestamp && original.marker == header.marker, "with its time")
    }
    // As an original of ours.
    guard
        let length = RTX.wrap(
            input.bytes, header: header, into: room, payloadType: 97, sequenceNumber: 0xFFFF, ssrc: 9)
    else { return require(false, "every packet fits with two octets more") }
    let wrapped = UnsafeRawBufferPointer(rebasing: room[..<length])
    guard let outer = try? RTPHeader(parsing: wrapped.bytes) else { return require(false, "a retransmission is RTP") }
    require(outer.ssrc == 9 && outer.payloadType == 97 && outer.sequenceNumber == 0xFFFF, "with its own numbers")
    do throws(DropReason) {
        let inner = try RTX.unwrap(
            wrapped.bytes, header: outer, into: back, payloadType: header.payloadType, ssrc: header.ssrc)
        require(inner == header.headerLength + header.payloadLength, "the original has its length")
        let same = (1..<(inner ?? 1)).allSatisfy { back[$0] == input[$0] }
        require(same && back[0] == input[0] & ~0x20, "the original is what it was")
    } catch {
        require(false, "our own retransmission: \(error)")
    }
}

/// Redundant payloads: blocks lie behind each other within the payload, and what was read is written the same.
func fuzzRED(_ input: UnsafeRawBufferPointer) {
    guard let red = try? RED(parsing: input.bytes) else { return }
    require((1...RED.maximumBlocks).contains(red.count), "between one and 32 blocks: \(red.count)")
    var end = (red.count - 1) * RED.blockHeaderLength + RED.primaryHeaderLength
    var type = red[0].payloadType
    for index in 0..<red.count {
        require(red[index].range.lowerBound == end, "blocks lie behind each other")
        end = red[index].range.upperBound
        if red[index].payloadType != type { type = 0xFF }
    }
    require(end == input.count, "blocks fill the payload")
    // Ours have one payload type in all blocks.
    guard type != 0xFF else { return }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 16)
    defer { room.deallocate() }
    let primary = UnsafeRawBufferPointer(rebasing: input[red[red.count - 1].range])
    let length = RED.write(into: room, payloadType: type, primary: primary, count: red.count - 1) { index in
        (Int(red[index].timestampOffset), UnsafeRawBufferPointer(rebasing: input[red[index].range]))
    }
    require(length == input.count && room.elementsEqual(input), "written as it was read")
}
