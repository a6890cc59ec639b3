internal import COpenSSL
internal import CPetrelSecurity
internal import PetrelCore

// OpenSSL is run here, and here is decided what its results mean.
extension DTLSEngine {
    /// Runs `body` with this association's randomness: the lab's where it has a seed, OpenSSL's otherwise.
    func withRandomness<Result>(_ body: () -> Result) -> Result {
        configuration.labSeed == nil ? body() : LabRandomness.withState(&labState, body)
    }

    /// A new association in place of the old one, if any. False where OpenSSL cannot make one.
    func makeAssociation() -> Bool {
        ERR_clear_error()
        SSL_free(association)
        association = nil
        sealer = nil
        messagesRead.pointee = 0
        nextInbound = 0
        fragments = DTLSHandshakeGuard(role: role)
        isChangeCipherHeld = false
        held = []
        return withRandomness {
            if context == nil {
                let names = configuration.profiles.map(\.libraryName).joined(separator: ":")
                context = petrel_dtls_context(certificate.handle, certificate.key, names)
            }
            guard let context else { return false }
            association = petrel_dtls_new(context, role == .server ? 1 : 0, UInt32(mtu), messagesRead)
            return association != nil
        }
    }

    /// Lets OpenSSL work on what it was given, and sends what that gives. The flight leaves only after the peer's
    /// certificate, if it is known by now, was compared with the fingerprints.
    func run(now: Instant, emit: (UnsafeRawBufferPointer) -> Void) {
        guard let association, !isOver else { return }
        ERR_clear_error()
        let error: Int32 = withRandomness {
            if !isHandshakeDone {
                let result = SSL_do_handshake(association)
                if result == 1 { isHandshakeDone = true }
                return SSL_get_error(association, result)
            }
            return drainApplicationData(association)
        }
        let records = takeOutput(association)
        switch error {
        case SSL_ERROR_NONE, SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN:
            // The peer's close_notify; it gets ours (RFC 5246 section 7.2.1).
            sendAlert(level: 1, description: 0, emit: emit)
            return end(.closed)
        default:
            return failedInside(records, emit: emit)
        }
        guard identify(emit: emit), agreesOnProfile(records, emit: emit) else { return }
        adopt(records, now: now, emit: emit)
        completeIfReady()
    }

    /// Reads what the peer sends after the handshake. There is no use for application data: it is counted and dropped.
    private func drainApplicationData(_ association: OpaquePointer) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 16) { buffer in
            while true {
                let count = SSL_read(association, buffer.baseAddress, Int32(buffer.count))
                guard count > 0 else { return SSL_get_error(association, count) }
                drops.count(.dtlsRejected)
            }
        }
    }

    /// What OpenSSL wrote, record by record.
    private func takeOutput(_ association: OpaquePointer) -> [DTLSOutboundRecord] {
        var bytes: UnsafePointer<UInt8>?
        let count = petrel_dtls_output(association, &bytes)
        guard count > 0, let bytes else { return [] }
        let records = DTLSOutboundRecord.split(UnsafeRawBufferPointer(start: bytes, count: count))
        petrel_dtls_clear_output(association)
        return records
    }

    /// OpenSSL refused to go on. A server that has not answered yet forgets the ClientHello and waits for a better one;
    /// everything else is the end.
    private func failedInside(_ records: [DTLSOutboundRecord], emit: (UnsafeRawBufferPointer) -> Void) {
        let reasons = OpenSSLErrors.drain()
        for record in records where record.type == DTLSContentType.alert.rawValue && record.epoch == 0 {
            sendRecord(record.bytes, emit: emit)
        }
        if role == .server, !hasSentFlight { return refuseHello() }
        let kind: DTLSFailure.Kind =
            reasons.contains("did not return a certificate")
            ? .noCertificate : reasons.contains(" alert ") ? .alert : .handshake
        fail(kind, reasons)
    }

    /// Forgets a ClientHello that led nowhere.
    func refuseHello() {
        refusedHellos &+= 1
        drops.count(.dtlsRejected)
        SSL_free(association)
        association = nil
        messagesRead.pointee = 0
        fragments = DTLSHandshakeGuard(role: role)
    }

    /// Compares the peer's certificate with the announced fingerprints, as soon as both are known. False where they
    /// differ: then the association has failed (RFC 8842 section 5.1).
    func identify(emit: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard !isIdentified, !announced.isEmpty, let association else { return true }
        guard let peer = SSL_get0_peer_certificate(association) else {
            guard isHandshakeDone else { return true }
            sendAlert(level: 2, description: 40, emit: emit)
            fail(.noCertificate, "the peer showed no certificate")
            return false
        }
        guard let der = Certificate.encoding(of: peer), Fingerprint.matches(der, announced: announced) else {
            sendAlert(level: 2, description: 42, emit: emit)
            fail(.fingerprintMismatch, "the peer's certificate is not the one it announced")
            return false
        }
        // Whether the peer has the key to it is known when the handshake is done.
        isIdentified = true
        return true
    }

    /// Whether the hellos agreed on an SRTP profile, once both were exchanged. A server then has not answered yet and
    /// waits for a better ClientHello; a client fails (RFC 5764 section 4.1).
    private func agreesOnProfile(_ records: [DTLSOutboundRecord], emit: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard selected == nil, let association else { return true }
        if let profile = SSL_get_selected_srtp_profile(association) {
            selected = SRTPProfile(rawValue: UInt16(truncatingIfNeeded: profile.pointee.id))
            if let selected, configuration.profiles.contains(selected) { return true }
        } else if role == .server ? records.isEmpty : SSL_get0_peer_certificate(association) == nil {
            // The hellos are not over.
            return true
        }
        selected = nil
        sendAlert(level: 2, description: 40, emit: emit)
        if role == .server, !hasSentFlight {
            refuseHello()
        } else {
            fail(.noSRTPProfile, "no SRTP profile in common")
        }
        return false
    }

    /// Reports connected when nothing is missing.
    func completeIfReady() {
        guard state == .connecting, isHandshakeDone, isIdentified, selected != nil else { return }
        state = .connected
        pendingAlert = nil
    }

    /// Ends in failure.
    func fail(_ kind: DTLSFailure.Kind, _ text: String) { end(.failed(DTLSFailure(kind, text))) }

    /// Ends, and lets go of everything secret.
    func end(_ final: State) {
        guard !isOver else { return }
        state = final
        SSL_free(association)
        association = nil
        sealer = nil
        flight = []
        held = []
        rearm()
    }

    /// The name of an alert for logs.
    static func alertName(_ description: UInt8) -> String {
        guard let text = SSL_alert_desc_string_long(Int32(description)) else { return "\(description)" }
        return "\(description) (\(String(cString: text)))"
    }
}
