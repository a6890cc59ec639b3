internal import Foundation
internal import Logging
internal import Petrel
internal import PetrelIO
internal import Testing

/// Keeps every line, of every level.
struct KeepingHandler: LogHandler {
    let lines: Lock<[String]>
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel = Logger.Level.trace
    /// Called with each line, on the thread that logs.
    var onLine: (@Sendable () -> Void)?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
        onLine?()
    }
}

extension LiveTests {
    /// Nothing that keeps a call secret is ever in a log line, a statistic or an error (C73).
    @Suite struct SecretsTests {
        /// What nobody else may know: passwords and names of ICE, fingerprints, names of the association.
        private func secrets(of description: String) -> [String] {
            description.split(whereSeparator: \.isNewline).compactMap { line in
                for key in ["a=ice-pwd:", "a=ice-ufrag:", "a=fingerprint:sha-256 ", "a=tls-id:"]
                where line.hasPrefix(key) {
                    return String(line.dropFirst(key.count))
                }
                return nil
            }
        }

        /// A run of hexadecimal or base64 characters that is long enough for a key of 128 bits.
        private func holdsAKey(_ line: String) -> Bool {
            line.contains(/[0-9A-Fa-f]{32,}/) || line.contains(/([0-9A-F]{2}:){15,}/)
                || line.contains(/[A-Za-z0-9+\/]{40,}/)
        }

        @Test func logsStatisticsAndErrorsHoldNoSecrets() async throws {
            let lines = Lock<[String]>([])
            let logged = Pair.configuration {
                $0.logger = Logger(label: "petrel.test") { _ in KeepingHandler(lines: lines) }
                $0.logger.logLevel = .trace
            }
            var secret: [String] = []
            var shown: [String] = []
            let pair = try await Pair(logged, logged)
            try await pair.a.addVideo(StampedCard())
            try await pair.a.addAudio(TestSpeechSource())
            let offer = try await pair.a.createOffer()
            let answer = try await pair.b.answer(offer)
            secret += secrets(of: offer) + secrets(of: answer)
            #expect(secret.count >= 6, "the test knows what to look for")

            // Broken copies of the answer, each with its secrets in it.
            for line in answer.split(whereSeparator: \.isNewline).map(String.init) {
                let broken = answer.replacing(line, with: line + "\u{1}")
                do { try await pair.a.accept(answer: broken) } catch { shown.append("\(error)") }
            }
            for key in ["a=ice-pwd:", "a=ice-ufrag:", "a=fingerprint:sha-256 ", "a=setup:"] {
                for bad in ["", "short", "not an allowed \u{7F} text", "=====canary=====canary====="] {
                    let broken = answer.split(whereSeparator: \.isNewline).map {
                        $0.hasPrefix(key) ? key + bad + $0.dropFirst(key.count) : String($0)
                    }.joined(separator: "\r\n")
                    do { try await pair.a.accept(answer: broken + "\r\n") } catch { shown.append("\(error)") }
                }
            }
            try? await pair.a.accept(answer: answer)
            if pair.a.callState != .failed { try? await pair.connected() }
            for call in [pair.a, pair.b] {
                if let statistics = try? await call.statistics() { shown.append("\(statistics)") }
                if let failure = call.failure { shown.append(failure) }
            }
            let restart = try await pair.a.restart()
            secret += secrets(of: restart)
            await pair.close()

            shown += lines.withLock { $0 }
            #expect(lines.withLock { $0 }.contains { $0.contains("call state") }, "there is a log")
            #expect(shown.count > 10)
            for text in shown {
                for word in secret { #expect(!text.contains(word), "a secret is in: \(text)") }
                #expect(!holdsAKey(text), "what looks like a key is in: \(text)")
            }
        }

        /// The keys themselves, in every form that they could be written in.
        @Test func noKeyIsEverShown() async throws {
            let lines = Lock<[String]>([])
            let logged = Pair.configuration {
                $0.logger = Logger(label: "petrel.test") { _ in KeepingHandler(lines: lines) }
                $0.logger.logLevel = .trace
            }
            let pair = try await Pair(logged, logged)
            try await pair.a.addVideo(StampedCard())
            try await pair.a.addAudio(TestSpeechSource())
            try await pair.connect()
            try await eventually("media") { pair.atB.pictures > 10 }
            let keys = try await SecretKeys.all(of: pair.a) + SecretKeys.all(of: pair.b)
            #expect(Set(keys).count == 6, "a key of each for itself, and four of SRTP for both")
            var shown: [String] = []
            for call in [pair.a, pair.b] { shown.append("\(try await call.statistics())") }
            do { try await pair.a.accept(answer: "v=0") } catch { shown.append("\(error)") }
            let configuration = pair.a.configuration
            shown.append("\(configuration)")
            await pair.close()
            shown += [pair.a.failure, pair.b.failure].compactMap { $0 } + pair.atA.seen.withLock { $0.reasons }
            shown += lines.withLock { $0 }
            #expect(shown.count > 8)
            let forms = keys.flatMap { SecretKeys.forms(of: $0) }
            for text in shown { for form in forms { #expect(!text.contains(form), "a key is in: \(text)") } }
            // The control: each would be found in the midst of a line.
            for key in keys {
                let longer = Data([1] + key + [2, 3])
                for line in [
                    longer.base64EncodedString(), longer.map { String(format: "%02X", $0) }.joined(separator: ":"),
                ] {
                    #expect(SecretKeys.forms(of: key).contains { "key=\(line)".contains($0) })
                }
            }
        }

        /// C58: nothing that the other side writes makes a line of its own in a log, or moves a terminal's cursor.
        @Test func noLineIsForged() async throws {
            let lines = Lock<[String]>([])
            let logged = Pair.configuration {
                $0.logger = Logger(label: "petrel.test") { _ in KeepingHandler(lines: lines) }
                $0.logger.logLevel = .trace
            }
            let pair = try await Pair(logged, logged)
            try await pair.a.addVideo(StampedCard())
            try await pair.a.addAudio(TestSpeechSource())
            let offer = try await pair.a.createOffer()
            var shown: [String] = []
            var refused = 0
            let forged = "2026-01-01 error forged"
            for poison in [
                "\n\(forged)", "\r\(forged)", "\u{0}", "\u{1B}[2J", "\u{85}\(forged)", "\u{2028}\(forged)", "\u{7F}",
            ] {
                for line in offer.split(whereSeparator: \.isNewline) {
                    for broken in ["\(line)\(poison)", "\(line.prefix(8))\(poison)\(line.dropFirst(8))"] {
                        let text = offer.replacing("\(line)\r\n", with: "\(broken)\r\n", maxReplacements: 1)
                        let call = pair.b
                        do { _ = try await call.answer(text) } catch {
                            refused += 1
                            shown.append("\(error)")
                            if let failure = call.failure { shown.append(failure) }
                        }
                    }
                }
                for candidate in ["candidate:1 1 udp 1 192.0.2.1 9 typ host\(poison)", "candidate:\(poison)", poison] {
                    do { try await pair.b.addRemoteCandidate(candidate, mid: "0\(poison)") } catch {
                        shown.append("\(error)")
                    }
                }
            }
            #expect(refused > 100, "\(refused) were refused")
            if let answer = try? await pair.b.answer(offer) { try await pair.a.accept(answer: answer) }
            try await Task.sleep(for: .milliseconds(500))
            await pair.close()
            shown += lines.withLock { $0 }
            #expect(lines.withLock { $0 }.contains { $0.contains("call state") }, "there is a log")
            for text in shown {
                let isClean = text.unicodeScalars.allSatisfy { scalar in
                    switch scalar.value {
                    case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029: false
                    default: true
                    }
                }
                #expect(isClean, "\(Array(text.utf8.prefix(300)))")
            }
        }

        @Test func noLineComesAfterTheEnd() async throws {
            let lines = Lock<[String]>([])
            let logged = Pair.configuration {
                $0.logger = Logger(label: "petrel.test") { _ in
                    KeepingHandler(lines: lines, onLine: { usleep(20_000) })
                }
                $0.logger.logLevel = .trace
            }
            let pair = try await Pair(logged, logged)
            try await pair.a.addAudio(TestSpeechSource())
            try await pair.connect()
            await pair.close()
            let count = lines.withLock { $0.count }
            #expect(count > 0)
            try await Task.sleep(for: .milliseconds(200))
            #expect(lines.withLock { $0.count } == count)
        }
    }
}
