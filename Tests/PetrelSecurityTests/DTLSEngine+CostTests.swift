import Glibc
import PetrelCore
import Testing

@testable import PetrelSecurity

@Suite("DTLS costs", .serialized)
struct DTLSCostTests {
    /// Processor time of this thread, in microseconds.
    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    @Test("C29 a handshake that repeats for 60 s costs little, and a due timer is never due twice")
    func repeats() {
        let pair = DTLSPair(link: .init(loss: 1))
        pair.start()
        let began = processorTime()
        var calls = 0
        while pair.client.state == .connecting {
            let deadline = pair.client.nextDeadline
            pair.now = deadline
            pair.client.handleTimeout(now: deadline) { _ in }
            calls += 1
            #expect(pair.client.nextDeadline > deadline)
        }
        let spent = processorTime() - began
        print("60 s without an answer: \(calls) timeouts, \(Int(spent)) us of processor time")
        #expect(calls < 200 && spent < 50_000)
    }

    @Test("C26 what is no ClientHello costs a look, a bogus one an association at most")
    func bogusHellos() throws {
        var server = DTLSEngine(role: .server, certificate: DTLSPair.callee)
        server.start(now: .zero) { _ in }
        let rounds = 2000
        func cost(_ bytes: [UInt8]) -> Double {
            let began = processorTime()
            for _ in 0..<rounds { _ = bytes.withUnsafeBytes { server.receive($0, now: .zero) { _ in } } }
            return (processorTime() - began) / Double(rounds)
        }
        let malformed = Record.fragment(type: 1, total: 60, sequence: 0, offset: 0, [UInt8](repeating: 0, count: 60))
        let other = Record.fragment(type: 11, total: 60, sequence: 1, offset: 0, [UInt8](repeating: 0, count: 60))
        var costs = (malformed: cost(malformed.bytes), other: cost(other.bytes), bogus: 0.0)
        #expect(server.association == nil && server.state == .new && server.context == nil)
        server = DTLSEngine(role: .server, certificate: DTLSPair.callee)
        server.start(now: .zero) { _ in }
        costs.bogus = cost(
            hex(
                "16feff000000000000000000360100002a000000000000002afefde17fd8f0816496da087a3ebecc676aaa2c5d8ce1b3c6acbc5f1670a9"
                    + "821bc7290000000200000100"))
        #expect(server.refusedHellos == UInt64(rounds) && server.association == nil)
        print(
            "a malformed ClientHello: \(costs.malformed) us, another message: \(costs.other) us, bogus: \(costs.bogus) us"
        )
        #expect(costs.malformed < 100 && costs.other < 100 && costs.bogus < 1000)
    }

    @Test("C23 the octets announced by a stranger stay below 48 KiB")
    func announcements() {
        var guarding = DTLSHandshakeGuard(role: .server)
        let some = [UInt8](repeating: 1, count: 20)
        var taken = 0
        for sequence in 1..<20 {
            let record = Record.fragment(type: 11, total: 16_384, sequence: sequence, offset: 0, some)
            let decision = record.body.withUnsafeBytes { guarding.judge($0, next: 1) }
            if decision == .take { taken += 1 }
            #expect(guarding.pending <= DTLSHandshakeGuard.maximumPending)
        }
        #expect(taken == 3 && guarding.pending == 49_152)
        // Another length for an announced message, and one that is too long.
        let conflict = Record.fragment(type: 11, total: 16_000, sequence: 1, offset: 0, some)
        #expect(conflict.body.withUnsafeBytes { guarding.judge($0, next: 1) } == .drop(.dtlsRejected))
        let long = Record.fragment(type: 11, total: 16_385, sequence: 2, offset: 0, some)
        #expect(long.body.withUnsafeBytes { guarding.judge($0, next: 1) } == .drop(.dtlsTooMuchBuffered))
        // What was taken makes room again.
        let later = Record.fragment(type: 15, total: 100, sequence: 4, offset: 0, some)
        #expect(later.body.withUnsafeBytes { guarding.judge($0, next: 4) } == .take)
        #expect(guarding.pending == 100)
    }

    @Test("processor time of a handshake")
    func handshakeCost() throws {
        let began = processorTime()
        for seed in UInt64(1)...50 {
            let pair = DTLSPair(seed: seed)
            #expect(pair.connect())
        }
        print("a handshake, both ends together: \(Int((processorTime() - began) / 50)) us of processor time")
    }

    @Test("processor time of SRTP, 1,200 octets of payload", arguments: SRTPProfile.allCases)
    func packets(profile: SRTPProfile) throws {
        let pair = try SRTPPair(profile)
        let plain = SRTPPair.rtp(0, payload: 1200)
        let count = 4000
        let memory = SlotMemory(count: count, slotSize: 1300)
        for index in 0..<count {
            let slot = memory.slot(index)
            slot.copyBytes(from: plain)
            (slot[2], slot[3]) = (UInt8(index >> 8), UInt8(index & 255))
        }
        let began = processorTime()
        for index in 0..<count { _ = try pair.client.protectRTP(memory.slot(index), length: plain.count) }
        let middle = processorTime()
        for index in 0..<count {
            let length = try pair.server.openRTP(memory.slot(index), length: plain.count + profile.tagLength)
            #expect(length == plain.count)
        }
        let end = processorTime()
        print(
            "SRTP \(profile): protect \(Int((middle - began) * 1000) / count) ns, open "
                + "\(Int((end - middle) * 1000) / count) ns")
    }
}
