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
                _ = sealer?.use(record.sequence)
                return record
            }
            flightBegan = now
            interval = configuration.retransmission
            renewals = 0
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

    /// Sends the flight at hand, its records in the clear under new numbers (RFC 6347 section 4.2.2), in as few
    /// datagrams as the MTU allows (section 4.1.1).
    func sendFlight(now: Instant, isRepeat: Bool, emit: (UnsafeRawBufferPointer) -> Void) {
        flightSent = now
        if isRepeat {
            repeatedFlights &+= 1
            renewFinished(now: now)
        }
        var datagram: [UInt8] = []
        datagram.reserveCapacity(mtu)
        for record in flight {
            let bytes = numbered(record)
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

    /// Seals a client's Finished anew when it is old enough, so that a server that has taken it repeats its answer.
    ///
    /// In between the same record goes out again: a server that has it drops it as a replay. A server's own Finished is
    /// never renewed: a client that has it drops the copy, but would answer a new one with its own last flight, without
    /// end.
    private func renewFinished(now: Instant) {
        guard role == .client, renewals < Self.renewalAges.count,
            now - flightBegan >= .milliseconds(Self.renewalAges[renewals])
        else { return }
        for index in flight.indices where flight[index].epoch == 1 {
            guard let text = flight[index].text, let record = sealer?.seal(type: flight[index].type, text) else {
                continue
            }
            flight[index].bytes = record
        }
        renewals += 1
    }

    private func numbered(_ record: DTLSOutboundRecord) -> [UInt8] {
        guard record.epoch == 0 else { return record.bytes }
        var bytes = record.bytes
        DTLSRecord.renumber(&bytes, nextOutbound)
        nextOutbound += 1
        return bytes
    }
}
