internal import Petrel
internal import PetrelCore
internal import PetrelIO
internal import Testing

extension LiveTests {
    /// Calls of a server that has one port, or a few.
    @Suite struct SharedPortTests {
        private func onPort(_ port: SharedPort) -> CallConfiguration {
            Pair.configuration {
                $0.localAddresses = []
                $0.sharedPort = port
            }
        }

        private func openPort() async throws -> SharedPort { try await SharedPort(host: "127.0.0.1") }

        /// Forty of them do not take a machine that has other work.
        private func smallCard() -> StampedCard { StampedCard(width: 96, height: 72, framesPerSecond: 4) }

        /// The port and address that the candidates of a description name.
        private func candidates(_ description: String) -> Set<String> {
            Set(
                description.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("a=candidate:") }.map { line in
                    let fields = line.split(separator: " ")
                    return "\(fields[4]):\(fields[5])"
                })
        }

        @Test func twentyCallsOnOnePort() async throws {
            let port = try await openPort()
            var pairs: [Pair] = []
            for _ in 0..<20 {
                let pair = try await Pair(Pair.configuration(), onPort(port))
                try await pair.a.addVideo(smallCard())
                try await pair.b.addVideo(smallCard())
                pairs.append(pair)
            }
            for pair in pairs {
                let answer = try await pair.b.answer(try await pair.a.createOffer())
                #expect(candidates(answer) == ["127.0.0.1:\(port.port)"])
                try await pair.a.accept(answer: answer)
            }
            for pair in pairs { try await pair.connected() }
            @Sendable func seen(_ pair: Pair) async throws -> [UInt64] {
                [
                    try await pair.a.statistics().inbound.reduce(0) { $0 + $1.packetsReceived },
                    try await pair.b.statistics().inbound.reduce(0) { $0 + $1.packetsReceived },
                ]
            }
            for pair in pairs {
                try await eventually("pictures both ways") { try await seen(pair).allSatisfy { $0 > 10 } }
            }
            var statistics = try await port.statistics()
            #expect(statistics.calls == 20 && statistics.routes == 20)
            #expect(statistics.claimsRefused == 0)

            let (ending, staying) = (pairs.prefix(10), pairs.suffix(10))
            for pair in ending { await pair.b.close() }
            statistics = try await port.statistics()
            #expect(statistics.calls == 10 && statistics.routes == 10)
            for pair in ending { try await eventually("the end is heard") { pair.a.callState == .failed } }
            for pair in staying {
                let before = try await seen(pair)
                try await eventually("pictures still") {
                    zip(try await seen(pair), before).allSatisfy { $0 > $1 + 20 }
                }
                #expect(pair.a.callState == .connected && pair.b.callState == .connected)
            }
            // There is room for others.
            let late = try await Pair(onPort(port), Pair.configuration())
            try await late.a.addVideo(smallCard())
            try await late.connect()
            try await eventually("pictures") { try await seen(late)[1] > 10 }
            await late.close()
            for pair in pairs { await pair.close() }
            let left = try await port.statistics()
            #expect(left.calls == 0 && left.routes == 0)
            await port.close()
            await #expect(throws: CallError.self) { try await Call(onPort(port)) }
            // And the port is free again.
            let again = try await SharedPort(host: "127.0.0.1", port: port.port)
            await again.close()
        }

        @Test func garbageDoesNotDisturbACall() async throws {
            let port = try await openPort()
            let target = try #require(TransportAddress("127.0.0.1", port: port.port))
            try await withPair(Pair.configuration(), onPort(port)) { pair in
                try await pair.a.addVideo(StampedCard())
                try await pair.b.addVideo(StampedCard())
                try await pair.connect()
                try await eventually("pictures") { pair.atA.pictures > 10 && pair.atB.pictures > 10 }
                let before = try await pair.b.statistics()
                let sender = try UDPSender()
                var random = SeededGenerator(seed: 1)
                let count = 50_000
                for index in 0..<count {
                    var bytes = (0..<(20 + Int(random.next() % 60))).map { _ in UInt8(truncatingIfNeeded: random.next())
                    }
                    switch index % 5 {
                    case 0: bytes[0] = 0x80
                    case 1: (bytes[0], bytes[1], bytes[2]) = (22, 0xFE, 0xFD)
                    case 2:
                        bytes = Array(bytes.prefix(20 + (bytes.count - 20) / 4 * 4))
                        bytes.replaceSubrange(
                            0..<8, with: [0, 1, 0, UInt8(bytes.count - 20), 0x21, 0x12, 0xA4, 0x42])
                    default: break
                    }
                    sender.send(bytes, to: target)
                    // As fast as a program can, with a breath now and then so that the kernel does not drop it for us.
                    if index % 100 == 0 { try await Task.sleep(for: .milliseconds(2)) }
                }
                let stamps = (pair.atA.pictures, pair.atB.pictures)
                try await eventually("pictures still") {
                    pair.atA.pictures > stamps.0 + 20 && pair.atB.pictures > stamps.1 + 20
                }
                let statistics = try await port.statistics()
                let dropped = statistics.drops.reduce(0) { $0 + $1.count }
                print("garbage: \(dropped) of \(count) datagrams reached the port: \(statistics.drops)")
                #expect(dropped > UInt64(count / 2), "the kernel has dropped the rest")
                #expect(
                    Set(statistics.drops.map(\.reason)).isSuperset(of: ["unvalidatedAddress", "unknownPacketKind"]))
                #expect(statistics.routes == 1 && statistics.calls == 1)
                #expect(pair.a.callState == .connected && pair.b.callState == .connected)
                // None of it came as far as the call. (What is rtpDuplicate there was authentic: on a busy machine packets are
                // asked for that were only late.)
                func refused(_ statistics: CallStatistics) -> UInt64 {
                    statistics.transport.drops.filter { !$0.reason.hasPrefix("rtp") }.reduce(0) { $0 + $1.count }
                }
                let after = try await pair.b.statistics()
                #expect(refused(after) == refused(before), "\(after.transport.drops)")
            }
            await port.close()
        }

        @Test func aCallOnASharedPortMovesAndRestarts() async throws {
            let port = try await openPort()
            try await withPair(Pair.configuration(), onPort(port)) { pair in
                try await pair.a.addVideo(StampedCard())
                try await pair.connect()
                try await eventually("pictures") { pair.atB.pictures > 10 }
                // The client moves to another address.
                let offer = try #require(try await pair.a.networkChanged(localAddresses: ["127.0.0.2"]))
                try await pair.a.accept(answer: try await pair.b.answer(offer))
                let count = pair.atB.pictures
                try await eventually("pictures") { pair.atB.pictures > count + 10 }
                // The server's side begins anew.
                try await pair.b.accept(answer: try await pair.a.answer(try await pair.b.restart()))
                let more = pair.atB.pictures
                try await eventually("pictures") { pair.atB.pictures > more + 10 }
                #expect(pair.a.callState == .connected && pair.b.callState == .connected)
                #expect(try await pair.b.networkChanged() == nil, "the port's addresses stay")
                await #expect(throws: CallError.self) { try await pair.b.networkChanged(localAddresses: ["127.0.0.1"]) }
                #expect(try await port.statistics().calls == 1)
            }
            await port.close()
        }

        @Test func whatCannotBe() async throws {
            let port = try await openPort()
            func refused(_ change: (inout CallConfiguration) -> Void) async -> CallError? {
                var configuration = onPort(port)
                change(&configuration)
                do {
                    await (try Call(configuration)).close()
                    return nil
                } catch { return error as? CallError }
            }
            for change: (inout CallConfiguration) -> Void in [
                { $0.localAddresses = ["127.0.0.1"] }, { $0.udpPorts = 5000...5010 },
                { $0.publicAddresses = ["203.0.113.7"] }, { $0.publicAddresses = ["203.0.113.7:80"] },
                { $0.publicAddresses = ["203.0.113.7/10.0.0.1"] }, { $0.publicAddresses = ["203.0.113.7/::1"] },
                { $0.publicAddresses = ["0.0.0.0/127.0.0.1"] }, { $0.publicAddresses = ["example.org"] },
                { $0.publicAddresses = ["203.0.113.7/127.0.0.1/1"] }, { $0.publicAddresses = [""] },
                { $0.publicAddresses = Array(repeating: "203.0.113.7/127.0.0.1", count: 9) },
            ] {
                guard case .badConfiguration = await refused(change) else {
                    Issue.record("taken")
                    continue
                }
            }
            guard case .noSocket(let text) = await refused({ $0.addressProfile = .server }) else {
                Issue.record("taken")
                return
            }
            #expect(text.contains("127.0.0.1"))
            #expect(try await port.statistics().calls == 0)
            for host in ["example.org", "127.0.0.1:80", ""] {
                await #expect(throws: CallError.self) { try await SharedPort(host: host) }
            }
            // Taken, and not this machine's.
            await #expect(throws: CallError.self) { try await SharedPort(host: "127.0.0.1", port: port.port) }
            await #expect(throws: CallError.self) { try await SharedPort(host: "192.0.2.1") }
            await port.close()
        }

        @Test func onePortAtManyAddresses() async throws {
            let port = try await SharedPort(hosts: ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
            #expect(port.hosts == ["127.0.0.1", "127.0.0.2", "127.0.0.3"] && port.port != 0)
            let call = try await Call(onPort(port))
            try await call.receiveOnly(video: false, audio: true)
            let offer = try await call.createOffer()
            #expect(candidates(offer) == Set((1...3).map { "127.0.0.\($0):\(port.port)" }))
            await call.close()
            await port.close()
            let all = try await SharedPort()
            #expect(!all.hosts.isEmpty)
            await all.close()
            let four = try await SharedPort(host: "0.0.0.0")
            #expect(!four.hosts.isEmpty && four.hosts.allSatisfy { !$0.contains(":") })
            await four.close()
        }

        @Test func aPublicAddressIsACandidate() async throws {
            let port = try await openPort()
            for hides in [false, true] {
                var configuration = onPort(port)
                configuration.publicAddresses = ["203.0.113.7/127.0.0.1"]
                configuration.hidesLocalAddresses = hides
                let call = try await Call(configuration)
                try await call.receiveOnly(video: false, audio: true)
                let told = candidates(try await call.createOffer())
                #expect(told == Set(["203.0.113.7:\(port.port)"] + (hides ? [] : ["127.0.0.1:\(port.port)"])))
                await call.close()
            }
            await port.close()
        }

        @Test func aRangeOfPortsRunsOut() async throws {
            // Three ports beside each other that are free, as far as one can tell.
            var range: ClosedRange<UInt16>?
            for _ in 0..<50 where range == nil {
                let probe = UDPDriver()
                let loopback = try #require(TransportAddress("127.0.0.1", port: 0))
                let first = try await probe.open(loopback).port
                var open = first < 65_000
                for step in 1..<3 as Range<UInt16> where open {
                    let next = try #require(TransportAddress("127.0.0.1", port: first + step))
                    open = (try? await probe.open(next)) != nil
                }
                await probe.close()
                if open { range = first...(first + 2) }
            }
            let ports = try #require(range)
            let configuration = Pair.configuration { $0.udpPorts = ports }
            var calls: [Call] = []
            var used: Set<String> = []
            for _ in 0..<3 {
                let call = try await Call(configuration)
                try await call.receiveOnly(video: false, audio: true)
                used.formUnion(candidates(try await call.createOffer()))
                calls.append(call)
            }
            #expect(used == Set(ports.map { "127.0.0.1:\($0)" }))
            do {
                await (try Call(configuration)).close()
                Issue.record("a fourth call in three ports")
            } catch let error as CallError {
                guard case .noFreePort(ports, "127.0.0.1") = error else { throw error }
                #expect("\(error)".contains("\(ports.lowerBound)-\(ports.upperBound)"))
            }
            // One that ends makes room.
            await calls.removeFirst().close()
            calls.append(try await Call(configuration))
            for call in calls { await call.close() }
            await #expect(throws: CallError.self) { try await Call(Pair.configuration { $0.udpPorts = 0...10 }) }
        }
    }
}
