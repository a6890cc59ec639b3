internal import COpenSSL
internal import CPetrelSecurity
public import PetrelCore

// What comes from the network, and what of it may reach OpenSSL.
extension DTLSEngine {
    /// What becomes of one record.
    private enum Decision {
        case take
        case hold
        /// The peer repeats something that was taken: it misses our flight.
        case answerRepeat
        /// An alert that is not authenticated.
        case noteAlert(level: UInt8, description: UInt8)
        case drop(DropReason)
    }

    /// Takes one datagram.
    /// - Returns: accept where at least one of its records had a meaning; otherwise the reason, which is also counted.
    public func receive(
        _ datagram: UnsafeRawBufferPointer, now: Instant, emit: (UnsafeRawBufferPointer) -> Void
    ) -> Verdict {
        guard isStarted, !isOver else { return refuse(.dtlsRejected) }
        guard datagram.count <= Self.maximumDatagram else { return refuse(.datagramTooLong) }
        var verdict = Verdict.drop(.dtlsMalformed)
        var isAsked = false
        var offset = 0
        while offset < datagram.count, !isOver {
            guard let record = DTLSRecord(datagram, at: offset) else {
                // What follows a record that cannot be read cannot be found.
                drops.count(.dtlsMalformed)
                break
            }
            offset += record.bytes.count
            switch decide(record) {
            case .take:
                verdict = .accept
                guard prepare(now: now) else { return refuse(.dtlsRejected) }
                feed([UInt8](record.bytes), epoch: record.epoch)
                let before = messagesRead.pointee
                run(now: now, emit: emit)
                releaseHeld(now: now, emit: emit)
                // An alert in the clear was a lie if the handshake goes on after it.
                if messagesRead.pointee > before { pendingAlert = nil }
            case .hold:
                verdict = .accept
                hold(record)
            case .answerRepeat:
                verdict = .accept
                isAsked = true
            case .noteAlert(let level, let description):
                verdict = .accept
                if pendingAlert == nil, level == 2 || description == 0 { pendingAlert = (description, now) }
            case .drop(let reason):
                drops.count(reason)
                if case .drop = verdict { verdict = .drop(reason) }
            }
        }
        if isAsked, !flight.isEmpty, now - flightSent >= Self.repeatGap {
            sendFlight(now: now, isRepeat: true, emit: emit)
        }
        rearm()
        return verdict
    }

    private func decide(_ record: DTLSRecord) -> Decision {
        switch record.epoch {
        case 0: decideInClear(record)
        case 1: decideEncrypted(record)
        // There is no second handshake, hence no further epoch.
        default: .drop(.dtlsRejected)
        }
    }

    private func decideInClear(_ record: DTLSRecord) -> Decision {
        let body = record.body
        let next = Int(messagesRead.pointee)
        // After the peer's ChangeCipherSpec nothing in the clear is the peer's, but for what it repeats.
        let isOpen = association.map { petrel_dtls_reads_epoch_one($0) == 0 } ?? true
        switch record.type {
        case .handshake:
            if association == nil, role == .client { return .drop(.dtlsRejected) }
            switch fragments.judge(body, next: next) {
            case .take: return isOpen ? .take : .drop(.dtlsRejected)
            case .isRepeat: return .answerRepeat
            case .startAgain:
                refuseHello()
                return fragments.judge(body, next: 0) == .take ? .take : .drop(.dtlsRejected)
            case .drop(let reason): return .drop(reason)
            }
        case .changeCipherSpec:
            guard body.count == 1, body[0] == 1 else { return .drop(.dtlsMalformed) }
            guard isOpen, let association, next > 0 else { return .drop(.dtlsRejected) }
            return petrel_dtls_awaits_change_cipher(association) == 1 ? .take : .hold
        case .alert:
            guard body.count == 2 else { return .drop(.dtlsMalformed) }
            guard isOpen, hasSentFlight else { return .drop(.dtlsRejected) }
            return .noteAlert(level: body[0], description: body[1])
        case .applicationData:
            return .drop(.dtlsRejected)
        }
    }

    private func decideEncrypted(_ record: DTLSRecord) -> Decision {
        guard let association, hasSentFlight else { return .drop(.dtlsRejected) }
        guard record.body.count > overhead(association) else { return .drop(.dtlsMalformed) }
        guard isHandshakeDone else {
            switch record.type {
            case .handshake, .alert: return petrel_dtls_reads_epoch_one(association) == 1 ? .take : .hold
            // It comes again: nothing that may be sent this early is unprotected by a retransmission of its own.
            case .applicationData, .changeCipherSpec: return .drop(.dtlsRejected)
            }
        }
        switch record.type {
        // A repeated Finished, or a wish for renegotiation, which is not granted (RFC 8827 section 6.5).
        case .handshake: return .answerRepeat
        case .alert, .applicationData: return .take
        case .changeCipherSpec: return .drop(.dtlsRejected)
        }
    }

    /// What the cipher adds to a text: explicit nonce and tag for GCM, the tag alone for ChaCha20-Poly1305 (RFC 5288
    /// section 3, RFC 7905 section 2).
    private func overhead(_ association: OpaquePointer) -> Int {
        guard let cipher = SSL_get_current_cipher(association) else { return 24 }
        return SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305 ? 16 : 24
    }

    /// Makes the association at a server's first ClientHello. False where that fails.
    private func prepare(now: Instant) -> Bool {
        if association != nil { return true }
        guard role == .server else { return false }
        if began == nil { began = now }
        state = .connecting
        let announcedSoFar = fragments
        guard makeAssociation() else {
            fail(.library, OpenSSLErrors.drain())
            return false
        }
        fragments = announcedSoFar
        return true
    }

    /// Gives one record to OpenSSL. In the clear it gets a number of ours: anybody could have chosen its own, and a
    /// large one would make OpenSSL take every true record for a replay.
    private func feed(_ record: [UInt8], epoch: UInt16) {
        guard let association else { return }
        var record = record
        if epoch == 0 {
            DTLSRecord.renumber(&record, nextInbound)
            nextInbound += 1
        }
        _ = petrel_dtls_write_input(association, record, record.count)
    }

    /// Keeps a record that came before its turn, within ``heldRecords`` and ``heldBytes``.
    private func hold(_ record: DTLSRecord) {
        if record.type == .changeCipherSpec {
            // One is like the other.
            isChangeCipherHeld = true
            return
        }
        guard held.count < Self.heldRecords,
            held.reduce(record.bytes.count, { $0 + $1.count }) <= Self.heldBytes
        else { return drops.count(.dtlsTooMuchBuffered) }
        held.append([UInt8](record.bytes))
    }

    /// Gives OpenSSL the held records whose turn has come.
    private func releaseHeld(now: Instant, emit: (UnsafeRawBufferPointer) -> Void) {
        if isChangeCipherHeld, let association, petrel_dtls_awaits_change_cipher(association) == 1 {
            isChangeCipherHeld = false
            feed([20, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], epoch: 0)
            run(now: now, emit: emit)
        }
        guard let association, !held.isEmpty, petrel_dtls_reads_epoch_one(association) == 1 else { return }
        let ready = held
        held = []
        for record in ready where !isOver && !isHandshakeDone {
            feed(record, epoch: 1)
            run(now: now, emit: emit)
        }
    }

    private func refuse(_ reason: DropReason) -> Verdict {
        drops.count(reason)
        return .drop(reason)
    }
}
