internal import PetrelCore

/// Writes RTCP packets one behind the other into one compound datagram.
public struct RTCPWriter: Sendable {
    /// The longest compound in bytes unless told otherwise: 1,200 for the path, less the 14 bytes or more that SRTCP
    /// adds (RFC 3711 section 3.4, RFC 7714 section 9: 20).
    public static let defaultMaximumLength = 1180

    /// The compound so far.
    public private(set) var bytes: [UInt8] = []
    /// The longest compound this writer makes.
    public let maximumLength: Int

    public init(maximumLength: Int = Self.defaultMaximumLength) {
        // The length field of a packet ends at 65,536 words; a datagram ends earlier.
        self.maximumLength = min(max(0, maximumLength), RTPHeader.maximumPacketLength)
        bytes.reserveCapacity(self.maximumLength)
    }

    /// Whether nothing has been written.
    public var isEmpty: Bool { bytes.isEmpty }

    /// Forgets the compound and keeps its memory.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Appends one packet.
    /// - Returns: false, with nothing changed, where it does not fit, or where it cannot be said on the wire: more
    ///   than 31 reports, chunks or sources, text above 255 bytes, application data that is no multiple of four, an
    ///   unknown packet, an empty list of sequence numbers or FIR entries.
    @discardableResult
    public mutating func append(_ packet: RTCPPacket) -> Bool {
        let start = bytes.count
        guard write(packet, start), bytes.count <= maximumLength else {
            bytes.removeLast(bytes.count - start)
            return false
        }
        // The length in words minus one goes into the common header last.
        let words = UInt16(truncatingIfNeeded: (bytes.count - start) / 4 - 1)
        bytes[start + 2] = UInt8(truncatingIfNeeded: words >> 8)
        bytes[start + 3] = UInt8(truncatingIfNeeded: words)
        return true
    }

    /// Copies the compound into `buffer`.
    /// - Returns: its length, or nil where the buffer is shorter.
    public func copy(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        guard buffer.count >= bytes.count else { return nil }
        buffer.copyBytes(from: bytes)
        return bytes.count
    }

    private mutating func head(_ type: UInt8, _ count: Int) {
        bytes.append(0x80 | UInt8(truncatingIfNeeded: count & 0x1F))
        bytes.append(type)
        bytes.append16(0)
    }

    private mutating func write(_ packet: RTCPPacket, _ start: Int) -> Bool {
        switch packet {
        case .senderReport(let report):
            guard report.reports.count <= 31 else { return false }
            head(RTCPCode.senderReport, report.reports.count)
            bytes.append32(report.ssrc)
            bytes.append64(report.ntpTime.bits)
            bytes.append32(report.rtpTimestamp)
            bytes.append32(report.packetCount)
            bytes.append32(report.octetCount)
            blocks(report.reports)
        case .receiverReport(let report):
            guard report.reports.count <= 31 else { return false }
            head(RTCPCode.receiverReport, report.reports.count)
            bytes.append32(report.ssrc)
            blocks(report.reports)
        case .sourceDescription(let description): return write(description, start)
        case .bye(let bye): return write(bye, start)
        case .application(let application):
            guard application.data.count % 4 == 0 else { return false }
            head(RTCPCode.application, Int(application.subtype))
            bytes.append32(application.ssrc)
            bytes.append32(application.name)
            bytes.append(contentsOf: application.data)
        case .nack(let nack):
            guard !nack.sequenceNumbers.isEmpty else { return false }
            feedback(RTCPCode.transportLayerFeedback, RTCPCode.formatNack, nack.senderSSRC, nack.mediaSSRC)
            entries(nack.sequenceNumbers)
        case .transportFeedback(let report):
            guard report.statuses.count <= TransportFeedback.maximumStatuses else { return false }
            head(RTCPCode.transportLayerFeedback, Int(RTCPCode.formatTransportFeedback))
            report.writeBody(into: &bytes)
        case .pictureLoss(let loss):
            feedback(
                RTCPCode.payloadSpecificFeedback, RTCPCode.formatPictureLoss, loss.senderSSRC, loss.mediaSSRC)
        case .fullIntraRequest(let request):
            guard !request.entries.isEmpty else { return false }
            feedback(RTCPCode.payloadSpecificFeedback, RTCPCode.formatFullIntraRequest, request.senderSSRC, 0)
            for entry in request.entries {
                bytes.append32(entry.ssrc)
                bytes.append32(UInt32(entry.sequenceNumber) << 24)
            }
        case .receiverEstimate(let estimate):
            guard estimate.sources.count <= 255 else { return false }
            feedback(RTCPCode.payloadSpecificFeedback, RTCPCode.formatApplicationLayer, estimate.senderSSRC, 0)
            bytes.append32(RTCPReceiverEstimate.identifier)
            let bits = UInt64(bitPattern: estimate.rate.bitsPerSecond)
            let exponent = max(0, 64 - bits.leadingZeroBitCount - 18)
            bytes.append32(
                UInt32(estimate.sources.count) << 24 | UInt32(exponent) << 18
                    | UInt32(truncatingIfNeeded: bits >> UInt64(exponent)))
            for source in estimate.sources { bytes.append32(source) }
        case .unknown: return false
        }
        return true
    }

    private mutating func feedback(_ type: UInt8, _ format: UInt8, _ sender: UInt32, _ media: UInt32) {
        head(type, Int(format))
        bytes.append32(sender)
        bytes.append32(media)
    }

    private mutating func blocks(_ blocks: [RTCPReportBlock]) {
        for block in blocks {
            bytes.append32(block.ssrc)
            bytes.append(block.fractionLost)
            bytes.append24(UInt32(bitPattern: block.cumulativeLost) & 0xFF_FFFF)
            bytes.append32(block.extendedHighestSequenceNumber)
            bytes.append32(block.jitter)
            bytes.append32(block.lastSenderReport)
            bytes.append32(block.delaySinceLastSenderReport)
        }
    }

    private mutating func entries(_ numbers: [UInt16]) {
        var index = 0
        while index < numbers.count {
            let first = numbers[index]
            var bits: UInt16 = 0
            index += 1
            // Only what ascends goes into the same entry, so that reading gives back the order of writing.
            var last: UInt16 = 0
            while index < numbers.count {
                let distance = numbers[index] &- first
                guard distance > last, distance <= 16 else { break }
                bits |= 1 << (distance - 1)
                last = distance
                index += 1
            }
            bytes.append16(first)
            bytes.append16(bits)
        }
    }

    private mutating func write(_ description: RTCPSourceDescription, _ start: Int) -> Bool {
        guard description.chunks.count <= 31 else { return false }
        head(RTCPCode.sourceDescription, description.chunks.count)
        for chunk in description.chunks {
            bytes.append32(chunk.ssrc)
            for (item, text) in [
                (RTCPSourceDescription.itemCNAME, chunk.cname), (RTCPSourceDescription.itemMID, chunk.mid),
            ] {
                guard let text else { continue }
                bytes.append(item)
                guard appendText(text) else { return false }
            }
            bytes.append(RTCPSourceDescription.itemEnd)
            bytes.alignTo4(from: start)
        }
        return true
    }

    private mutating func write(_ bye: RTCPBye, _ start: Int) -> Bool {
        guard bye.sources.count <= 31 else { return false }
        head(RTCPCode.bye, bye.sources.count)
        for source in bye.sources { bytes.append32(source) }
        if let reason = bye.reason {
            guard appendText(reason) else { return false }
            bytes.alignTo4(from: start)
        }
        return true
    }

    /// A length byte and the text.
    private mutating func appendText(_ text: String) -> Bool {
        guard let length = UInt8(exactly: text.utf8.count) else { return false }
        bytes.append(length)
        bytes.append(contentsOf: text.utf8)
        return true
    }
}
