import PetrelCore
import PetrelMedia
import PetrelWire
import Testing

@Suite struct ReceiveStatisticsTests {
    private func receive(
        _ statistics: inout ReceiveStatistics, _ sequence: Int64, ticks: UInt32 = 0, at now: Instant = .zero,
        isRepair: Bool = false
    ) {
        statistics.received(
            sequence: sequence, timestamp: ticks, headerBytes: 12, payloadBytes: 100, isRepair: isRepair, now: now)
    }

    /// RFC 3550 appendix A.3: expected 10, received 8: 2 of 10 lost, as 51/256 rounded down.
    @Test func lossByAppendixA3() {
        var statistics = ReceiveStatistics(clockRate: 48_000)
        for sequence: Int64 in [100, 101, 103, 104, 105, 106, 108, 109] { receive(&statistics, sequence) }
        #expect(statistics.packetsLost == 2)
        let value5 = statistics.takeFractionLost()
        #expect(value5 == UInt8(2 * 256 / 10))
        let value6 = statistics.takeFractionLost()
        #expect(value6 == 0, "nothing new")
        // More came than was expected: late ones and duplicates make the loss of the interval zero, not negative.
        for sequence: Int64 in [102, 107, 110] { receive(&statistics, sequence) }
        let value7 = statistics.takeFractionLost()
        #expect(value7 == 0)
        #expect(statistics.packetsLost == 0)
        receive(&statistics, 110)
        #expect(statistics.packetsLost == -1, "duplicates count as received (section 6.4.1)")
        for sequence in Int64(210)..<211 { receive(&statistics, sequence) }
        let value8 = statistics.takeFractionLost()
        #expect(value8 == UInt8(98 * 256 / 100))
    }

    @Test func whatWasSentAgainHidesNoLoss() {
        var statistics = ReceiveStatistics(clockRate: 90_000)
        for sequence: Int64 in [1, 2, 5] { receive(&statistics, sequence) }
        receive(&statistics, 3, isRepair: true)
        receive(&statistics, 4, isRepair: true)
        #expect(statistics.packetsLost == 2)
        #expect(statistics.packetsReceived == 3)
    }

    /// RFC 3550 appendix A.8 in integers: D = 160 ticks once, then none: the jitter rises by D/16 and decays by 1/16.
    @Test func jitterByAppendixA8() {
        var statistics = ReceiveStatistics(clockRate: 8000)
        // 20 ms packets of 160 ticks; the third and all after it come 20 ms late.
        var sixteenths = 0
        for index in 0..<40 {
            let late = index >= 2 ? 20 : 0
            receive(
                &statistics, Int64(index), ticks: UInt32(index * 160), at: .zero + .milliseconds(index * 20 + late))
            if index > 0 { sixteenths += (index == 2 ? 160 : 0) - ((sixteenths + 8) >> 4) }
            #expect(statistics.jitterTicks == UInt32(sixteenths >> 4), "packet \(index)")
        }
        #expect(statistics.jitterTicks < 10 && sixteenths > 0)
    }
}

@Suite struct NackTrackerTests {
    private func due(_ tracker: inout NackTracker, _ milliseconds: Int, roundTrip: Int = 60) -> [UInt16] {
        var due: [UInt16] = []
        tracker.collect(
            now: .zero + .milliseconds(milliseconds), roundTrip: .milliseconds(roundTrip), into: &due)
        return due
    }

    @Test func aHoleIsAskedForAtOnceAndAgain() {
        var tracker = NackTracker()
        let taken1 = tracker.received(10, now: .zero)
        #expect(taken1)
        let taken2 = tracker.received(13, now: .zero)
        #expect(taken2)
        let value10 = due(&tracker, 0)
        #expect(value10 == [11, 12])
        let value9 = due(&tracker, 10)
        #expect(value9 == [])
        #expect(tracker.nextDeadline(roundTrip: .milliseconds(60)) == .zero + .milliseconds(20))
        let taken3 = tracker.received(12, now: .zero + .milliseconds(15))
        #expect(taken3)
        let value11 = due(&tracker, 20)
        #expect(value11 == [11])
        tracker.forget(before: 12)
        #expect(tracker.isEmpty && tracker.nextDeadline(roundTrip: .zero) == .distantFuture)
    }

    @Test func hopelessHolesAreGivenUp() {
        var tracker = NackTracker()
        _ = tracker.received(1, now: .zero)
        _ = tracker.received(3, now: .zero)
        var asked = 0
        for milliseconds in stride(from: 0, to: 3000, by: 5) { asked += due(&tracker, milliseconds).count }
        #expect(asked <= 20)
        #expect(tracker.isEmpty)
        let taken4 = tracker.received(3 + Int64(NackTracker.limit) + 2, now: .zero)
        #expect(!taken4, "too long to ask for")
        #expect(tracker.isEmpty)
    }

    @Test func numbersWrapOnTheWire() {
        var tracker = NackTracker()
        _ = tracker.received(65_534, now: .zero)
        _ = tracker.received(65_538, now: .zero)
        let value12 = due(&tracker, 0)
        #expect(value12 == [65_535, 0, 1])
    }
}

@Suite struct ArrivalRecorderTests {
    private func reports(_ recorder: inout ArrivalRecorder, at now: Instant) -> [TransportFeedback] {
        var all: [TransportFeedback] = []
        while let one = recorder.report(senderSSRC: 1, mediaSSRC: 2, now: now) { all.append(one) }
        return all
    }

    @Test func everyPacketIsReportedOnceWithItsTime() {
        var recorder = ArrivalRecorder()
        var times: [UInt16: Instant] = [:]
        var reported: [UInt16: TimeDelta?] = [:]
        var bases: [UInt16: TimeDelta] = [:]
        var now = Instant.zero + .seconds(3)
        var random = SeededGenerator(seed: 2)
        for number in 0..<1000 {
            let sequence = UInt16(truncatingIfNeeded: 65_000 + number)
            now += .milliseconds(3)
            if random.unit() > 0.1 {
                recorder.record(sequence, now: now)
                times[sequence] = now
            }
            if recorder.nextDeadline <= now {
                for report in reports(&recorder, at: now) {
                    let base = TransportFeedback.referenceUnit * Int(report.referenceTime)
                    report.forEachPacket {
                        reported[$0.sequenceNumber] = $0.arrival
                        bases[$0.sequenceNumber] = base
                    }
                }
                #expect(recorder.nextDeadline > now)
            }
        }
        for (sequence, time) in times where reported.keys.contains(sequence) {
            let told = reported[sequence].flatMap { $0 }.map { (bases[sequence] ?? .zero) + $0 }
            let error = told.map { abs(($0 - (time - .zero)).milliseconds) } ?? .infinity
            #expect(error <= 0.26, "\(sequence)")
        }
        #expect(reported.count >= 950)
        #expect(reported.allSatisfy { ($0.value != nil) == (times[$0.key] != nil) })
    }

    @Test func silenceAsksForNothing() {
        var recorder = ArrivalRecorder()
        #expect(recorder.nextDeadline == .distantFuture)
        recorder.record(5, now: .zero)
        let value13 = reports(&recorder, at: .zero + .milliseconds(49)).count
        #expect(value13 == 0)
        let value14 = reports(&recorder, at: .zero + .milliseconds(50)).count
        #expect(value14 == 1)
        #expect(recorder.nextDeadline == .distantFuture)
        recorder.record(5, now: .zero + .milliseconds(60))
        #expect(recorder.nextDeadline == .distantFuture, "a duplicate is no arrival")
    }
}

@Suite struct ReceiveStreamTests {
    @Test func aJumpIsBelievedWithTheSecondPacket() throws {
        let stream = ReceiveStream(kind: .audio, ssrc: 1)
        func send(_ sequence: UInt16) throws -> EncodedAudioPacket? {
            var bytes = [UInt8](repeating: 0, count: 40)
            _ = bytes.withUnsafeMutableBytes {
                RTPHeader.write(
                    into: $0, payloadType: 111, sequenceNumber: sequence, timestamp: UInt32(sequence) * 960, ssrc: 1)
            }
            let header = try RTPHeader(parsing: bytes.span.bytes)
            var received: EncodedAudioPacket?
            try bytes.withUnsafeBytes { bytes in
                try stream.receiveAudio(
                    bytes, header: header, extensions: RTPExtensions(), isRepair: false, redundancyOf: nil, now: .zero
                ) { received = $0 }
            }
            return received
        }
        for sequence: UInt16 in 0..<5 { #expect(try send(sequence) != nil) }
        #expect(throws: DropReason.rtpSequenceJump) { try send(20_000) }
        #expect(try send(5) != nil, "one stray packet changes nothing")
        #expect(throws: DropReason.rtpSequenceJump) { try send(30_000) }
        #expect(try send(30_001) != nil)
        #expect(stream.statistics.restarts == 1)
        #expect(stream.reception.packetsLost == 0)
    }
}
