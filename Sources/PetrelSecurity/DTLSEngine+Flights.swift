internal import COpenSSL
internal import CPetrelSecurity
internal import PetrelCore

// What leaves: flights in datagrams of the path's size, their repeats, and alerts.
extension DTLSEngine {
    /// Makes what OpenSSL wrote the flight at hand and sends it. A client whose handshake is done has no flight left to
    /// repeat; a server repeats its last one a few times and then whenever it is asked.
    func adopt(_ records: [DTLSOutboundRecord], now: Instant, emit: (UnsafeRawBufferPointer) -> Void) {
        let isFlight = records.contains { $0.type == DTLSContentType.handshake.rawValue }
        if isFlight {
            hasSentFlight = true
            if sealer == nil, records.contains(where: { $0.epoch == 1 }), let association {
                sealer = DTLSSealer(association)
            }
            flight = records.map { record in
                guard record.epoch == 1 else { return record }
                var record = record
                record.text = sealer?.open(record.bytes)
                return record
            }
            flightBegan = now
            interval = configuration.retransmission
            unaskedLeft = isHandshakeDone ? Self.unaskedRepeats : 0
            sendFlight(now: now, isRepeat: false, emit: emit)
        } else {
            for record in records {
                // A sequence number is used once: what OpenSSL numbers like one of our repeats is not sent.
                if record.epoch == 1, sealer?.use(record.sequence) != true { continue }
                sendRecord(record.bytes, emit: emit)
            }
        }
        if isHandshakeDone, role == .client { flight = [] }
    }

    /// Sends the flight at hand, every record of it under a new number (RFC 6347 section 4.2.2), in as few datagrams as
    /// the MTU allows (section 4.1.1).
    func sendFlight(now: Instant, isRepeat: Bool, emit: (UnsafeRawBufferPointer) -> Void) {
        flightSent = now
        if isRepeat { repeatedFlights &+= 1 }
        var datagram: [UInt8] = []
        datagram.reserveCapacity(mtu)
        for record in flight {
            let bytes = numbered(record, isRepeat: isRepeat)
            if !datagram.isEmpty, datagram.count + bytes.count > mtu {
                datagram.withUnsafeBytes(emit)
                datagram.removeAll(keepingCapacity: true)
            }
            datagram += bytes
        }
        if !datagram.isEmpty { datagram.withUnsafeBytes(emit) }
    }

    /// Sends an alert by itself, encrypted once our ChangeCipherSpec has gone out.
    func sendAlert(level: UInt8, description: UInt8, emit: (UnsafeRawBufferPointer) -> Void) {
        // A server that has said nothing, and a client before its ClientHello, has nobody to tell.
        guard hasSentFlight || association != nil else { return }
        if sealer != nil {
            if let record = sealer?.seal(type: DTLSContentType.alert.rawValue, [level, description]) {
                record.withUnsafeBytes(emit)
            }
            return
        }
        sendRecord(
            [DTLSContentType.alert.rawValue, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, level, description], emit: emit)
    }

    /// Sends one record by itself; in the clear it gets the next number.
    func sendRecord(_ record: [UInt8], emit: (UnsafeRawBufferPointer) -> Void) {
        var record = record
        if record.count >= DTLSRecord.headerLength, record[3] == 0, record[4] == 0 {
            DTLSRecord.renumber(&record, nextOutbound)
            nextOutbound += 1
        }
        record.withUnsafeBytes(emit)
    }

    private func numbered(_ record: DTLSOutboundRecord, isRepeat: Bool) -> [UInt8] {
        if record.epoch == 0 {
            var bytes = record.bytes
            DTLSRecord.renumber(&bytes, nextOutbound)
            nextOutbound += 1
            return bytes
        }
        if isRepeat, let text = record.text, let sealed = sealer?.seal(type: record.type, text) { return sealed }
        _ = sealer?.use(record.sequence)
        return record.bytes
    }
}
