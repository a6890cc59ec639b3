internal import Foundation
internal import Petrel
internal import PetrelCore
internal import PetrelIO
internal import Testing

extension LiveTests {
    /// Every error is typed and says what to do.
    @Suite struct ErrorTests {
        private func error(_ change: (inout CallConfiguration) -> Void) async -> CallError? {
            do {
                await (try Call(Pair.configuration(change))).close()
                return nil
            } catch { return error as? CallError }
        }

        @Test func aConfigurationThatMakesNoSense() async {
            let cases: [(String, (inout CallConfiguration) -> Void)] = [
                ("not-an-address", { $0.localAddresses = ["not-an-address"] }),
                ("127.0.0.1:0", { $0.localAddresses = ["127.0.0.1:0"] }),
                ("127.0.0.1:70000", { $0.localAddresses = ["127.0.0.1:70000"] }),
                ("stun.example.org:3478", { $0.stunServers = ["stun.example.org:3478"] }),
                ("192.0.2.1", { $0.stunServers = ["192.0.2.1"] }),
                ("2001:db8::1:3478", { $0.stunServers = ["2001:db8::1:3478"] }),
                ("kbit/s", { $0.maximumVideoKilobitsPerSecond = 100 }),
                ("kbit/s", { $0.maximumVideoKilobitsPerSecond = .max }),
                ("kbit/s", { $0.minimumVideoKilobitsPerSecond = 0 }),
                ("kbit/s", { $0.audioKilobitsPerSecond = 5 }),
                ("0x0", { $0.maximumVideoSize = VideoSize(width: 0, height: 0) }),
                ("channels", { $0.receivedAudioChannels = 3 }),
            ]
            for (what, change) in cases {
                guard case .badConfiguration(let text) = await error(change) else {
                    Issue.record("\(what) was taken")
                    continue
                }
                #expect(text.contains(what), "'\(text)' does not say what is wrong with \(what)")
            }
        }

        @Test func aServerByNumberIsFine() async throws {
            let call = try await Call(
                Pair.configuration { $0.stunServers = ["192.0.2.1:3478", "[2001:db8::1]:3478"] })
            await call.close()
        }

        @Test func anAddressThatIsNotThisMachines() async {
            guard case .noSocket(let text) = await error({ $0.localAddresses = ["127.0.0.1", "192.0.2.1"] }) else {
                Issue.record("no error")
                return
            }
            #expect(text.contains("192.0.2.1"))
        }

        @Test func aPortInUse() async throws {
            let driver = UDPDriver()
            let taken = try await driver.open(try #require(.init("127.0.0.1", port: 0)))
            guard case .noSocket(let text) = await error({ $0.localAddresses = ["\(taken)"] }) else {
                Issue.record("no error")
                await driver.close()
                return
            }
            #expect(text.contains("\(taken)") && text.contains("in use"), "\(text)")
            await driver.close()
            // Free again, it can be had, and is what is announced.
            let call = try await Call(Pair.configuration { $0.localAddresses = ["\(taken)"] })
            try await call.addAudio()
            #expect(try await call.createOffer().contains("127.0.0.1 \(taken.port) typ host"))
            await call.close()
        }

        @Test func anAddressThatTheProfileForbids() async {
            guard case .noSocket(let text) = await error({ $0.addressProfile = .server }) else {
                Issue.record("no error")
                return
            }
            #expect(text.contains("127.0.0.1") && text.contains("server"))
        }

        @Test func aCaptureThatCannotBeWritten() async {
            let path = "/nonexistent-folder/call.pcapng"
            guard case .file(let text) = await error({ $0.packetCapture = PacketCaptureOptions(path: path) }) else {
                Issue.record("no error")
                return
            }
            #expect(text.contains(path))
        }

        @Test func nothingIsLeftOfACallThatFailedToStart() async {
            let path = NSTemporaryDirectory() + "petrel-\(UUID().uuidString).pcapng"
            let result = await error {
                $0.packetCapture = PacketCaptureOptions(path: path)
                $0.localAddresses = ["192.0.2.1"]
            }
            #expect(result != nil)
            #expect(!FileManager.default.fileExists(atPath: path))
        }

        @Test func offersThatCannotBeUsed() async throws {
            let call = try await Call(Pair.configuration())
            for offer in ["", "hello", "v=0\r\n", String(repeating: "a=x\r\n", count: 100_000)] {
                do {
                    _ = try await call.answer(offer)
                    Issue.record("an offer of \(offer.count) characters was taken")
                } catch CallError.badDescription(let text) { #expect(!text.isEmpty && text.count < 500) }
            }
            // Everything is as it was: a good one is still answered.
            let other = try await Call(Pair.configuration())
            try await other.addAudio()
            #expect(try await call.answer(try await other.createOffer()).hasPrefix("v=0"))
            await call.close()
            await other.close()
        }

        @Test func stepsInTheWrongOrder() async throws {
            try await withPair { pair in
                let (a, b) = (pair.a, pair.b)
                try await a.addAudio()
                let answer = try await b.answer(try await a.createOffer())
                await #expect(throws: CallError.self) { try await b.accept(answer: answer) }
                try await a.accept(answer: answer)
                await #expect(throws: CallError.self) { try await a.accept(answer: answer) }
                await #expect(throws: CallError.self) { try await a.rollback() }
                try await pair.connected()
                await #expect(throws: CallError.self) { try await a.addAudio(channels: 3) }
            }
        }

        @Test func errorsSayWhatToDo() {
            #expect("\(CallError.closed)".contains("make a new Call"))
            #expect("\(CallError.wrongState("no offer waits"))".contains("no offer waits"))
            #expect("\(CallError.badDescription("line 3"))".contains("line 3"))
        }
    }
}
