internal import PetrelCore
internal import PetrelIO
internal import Testing

/// Keeps what it is told.
private final class Recorder: DatagramEngine {
    struct Told: Sendable {
        var datagrams: [[UInt8]] = []
        var settled = 0
        var ended: [TransportAddress] = []
    }
    let told = Lock(Told())

    func receive(
        _ bytes: UnsafeMutableRawBufferPointer, from remote: TransportAddress, to local: TransportAddress, now: Instant
    ) { told.withLock { $0.datagrams.append(Array(bytes)) } }

    func settle(now: Instant) { told.withLock { $0.settled += 1 } }
    func socketEnded(_ local: TransportAddress, now: Instant) { told.withLock { $0.ended.append(local) } }
}

extension LiveTests {
    @Suite struct DriverTests {
        private let loopback = TransportAddress(ipv4: 0x7F00_0001, port: 0)

        private func send(
            _ driver: UDPDriver, _ payload: [UInt8], from: TransportAddress, to: TransportAddress
        ) async throws {
            _ = try await driver.perform {
                var batch = EgressBatch(capacity: 4)
                batch.append(to: to, from: from) { slot in
                    slot.copyBytes(from: payload)
                    return payload.count
                }
                driver.send(&batch)
            }
        }

        /// C81: what the kernel refuses is counted, and the socket lives.
        @Test func refusedDatagramsAreCountedAndTheSocketLives() async throws {
            let (driver, recorder) = (UDPDriver(), Recorder())
            driver.drive(recorder)
            let a = try await driver.open(loopback)
            let b = try await driver.open(loopback)
            let refused: [(TransportAddress, String)] = [
                (TransportAddress(ipv4: 0xC000_0201, port: 9), "from loopback to elsewhere: EINVAL"),
                (TransportAddress(ipv4: 0xFFFF_FFFF, port: 9), "broadcast without leave: EACCES"),
                (TransportAddress(ipv4: 0x7F00_0001, port: 0), "port 0: EINVAL"),
                (TransportAddress(ipv6High: 0, low: 1, port: 9), "IPv6 from IPv4: EAFNOSUPPORT"),
            ]
            for (index, (address, why)) in refused.enumerated() {
                try await send(driver, [1, 2, 3], from: a, to: address)
                let counts = try await driver.perform { driver.counts }
                #expect(counts?.sendFailures == UInt64(index + 1), "\(why)")
                #expect(counts?.lastSendError != nil)
            }
            // Nobody listens there: ECONNREFUSED comes back by ICMP, and closes nothing.
            try await send(driver, [4], from: a, to: TransportAddress(ipv4: 0x7F00_0001, port: 9))
            try await send(driver, [4], from: a, to: TransportAddress(ipv4: 0x7F00_0001, port: 9))
            // A socket that is not ours.
            try await send(driver, [5], from: TransportAddress(ipv4: 0x7F00_0001, port: 9), to: b)
            try await send(driver, [6, 7, 8], from: a, to: b)
            try await send(driver, [9], from: b, to: a)
            try await eventually("both datagrams") { recorder.told.withLock { $0.datagrams.count } >= 2 }
            #expect(recorder.told.withLock { $0.datagrams }.sorted { $0.count > $1.count } == [[6, 7, 8], [9]])
            #expect(recorder.told.withLock { $0.ended.isEmpty })
            let counts = try await driver.perform { driver.counts }
            #expect(counts?.sendFailures == UInt64(refused.count + 1) && counts?.datagramsSent == 4)
            await driver.close()
        }

        @Test func aRefusedDatagramCostsNoTime() async throws {
            let driver = UDPDriver()
            let a = try await driver.open(loopback)
            let began = MonotonicClock.now
            for _ in 0..<100 { try await send(driver, [1], from: a, to: TransportAddress(ipv4: 0xC000_0201, port: 9)) }
            #expect((MonotonicClock.now - began).seconds < Double(10 * patience))
            await driver.close()
        }

        @Test func datagramsThatAreTooLongOrEmptyAreCounted() async throws {
            let (driver, recorder) = (UDPDriver(), Recorder())
            driver.drive(recorder)
            let a = try await driver.open(loopback)
            let sender = try UDPSender()
            sender.send([UInt8](repeating: 1, count: UDPDriver.longestDatagram + 1), to: a)
            sender.send([], to: a)
            sender.send([UInt8](repeating: 2, count: UDPDriver.longestDatagram), to: a)
            try await eventually("the one that fits") { recorder.told.withLock { $0.datagrams.count } == 1 }
            #expect(try await driver.perform { driver.counts.datagramsRefused } == 2)
            await driver.close()
        }

        @Test func aClosedDriverDoesNothing() async throws {
            let (driver, recorder) = (UDPDriver(), Recorder())
            driver.drive(recorder)
            let a = try await driver.open(loopback)
            await driver.close()
            await driver.close()
            let ran = Lock(false)
            driver.run { ran.withLock { $0 = true } }
            #expect(try await driver.perform { 1 } == nil)
            await #expect(throws: SocketError.self) {
                try await driver.open(TransportAddress(ipv4: 0x7F00_0001, port: 0))
            }
            // The port is free again.
            let other = UDPDriver()
            #expect(try await other.open(a) == a)
            await other.close()
            #expect(!ran.withLock { $0 })
        }

        @Test func oneSocketMayBeClosedAlone() async throws {
            let (driver, recorder) = (UDPDriver(), Recorder())
            driver.drive(recorder)
            let a = try await driver.open(loopback)
            let b = try await driver.open(loopback)
            _ = try await driver.perform { driver.close(a) }
            #expect(try await driver.perform { driver.localAddresses } == [b])
            #expect(recorder.told.withLock { $0.ended.isEmpty }, "who closes a socket need not be told")
            await driver.close()
        }

        @Test func timersComeOnceAndInTime() async throws {
            let (driver, recorder) = (UDPDriver(), Recorder())
            driver.drive(recorder)
            _ = try await driver.perform {
                driver.wake(at: MonotonicClock.now + .milliseconds(500))
                driver.wake(at: MonotonicClock.now + .milliseconds(50))
                driver.wake(at: .distantFuture)
            }
            try await Task.sleep(for: .milliseconds(20))
            #expect(recorder.told.withLock { $0.settled } <= 1)
            try await eventually("the earlier one") { recorder.told.withLock { $0.settled } == 1 }
            await driver.close()
        }
    }

    @Suite struct ThreadTests {
        @Test func aThreadRunsItsBodyOnceAndTellsItsEnd() async throws {
            let count = Lock(0)
            let thread = try WorkerThread { _ in count.withLock { $0 += 1 } }
            await thread.ended()
            await thread.ended()
            thread.join()
            #expect(thread.hasEnded && count.withLock { $0 } == 1)
        }

        @Test func whatABodyHoldsIsFreeWhenItHasEnded() async throws {
            final class Held: Sendable {}
            weak var held: Held?
            let thread: WorkerThread
            do {
                let object = Held()
                held = object
                thread = try WorkerThread { _ in withExtendedLifetime(object) {} }
            }
            await thread.ended()
            #expect(held == nil)
        }

        @Test func aSleepingThreadIsWoken() throws {
            let thread = try WorkerThread { thread in
                _ = thread.sleep(until: .distantFuture)
            }
            let began = MonotonicClock.now
            thread.join()
            #expect((MonotonicClock.now - began).seconds < Double(5 * patience))
        }

        @Test func aFullMailboxDropsTheOldest() {
            let mailbox = Mailbox<Int>(limit: 3)
            for item in 1...3 { #expect(mailbox.post(item)) }
            #expect(!mailbox.post(4))
            #expect(mailbox.dropped == 1 && mailbox.takeAll() == [2, 3, 4])
            mailbox.post(5)
            mailbox.close()
            #expect(!mailbox.post(6))
            #expect(mailbox.take() == 5 && mailbox.take() == nil)
            #expect(Mailbox<Int>(limit: 1).take(until: MonotonicClock.now + .milliseconds(10)) == nil)
        }
    }
}
