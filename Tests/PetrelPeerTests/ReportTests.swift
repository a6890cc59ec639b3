import PetrelCore
import PetrelPeer
import PetrelScenario
import PetrelWire
import Testing

@Suite struct ReportTests {
    @Test("RFC 3550 6.2: reports come early for the sake of sync, then about once a second and never in step")
    func reportsComeEarlyAndThenEverySecond() throws {
        let call = try VirtualCall.fresh()
        var firstMedia: Instant?
        var reports: [Instant] = []
        call.callerPeer.plaintextTap = { bytes, source, _ in
            guard source == VirtualCall.callerAddress else { return }
            switch Demultiplexer.classify(bytes.bytes) {
            case .rtp: firstMedia = firstMedia ?? call.now
            // A sender report begins a compound of reports; feedback alone begins with its own type (RFC 5506).
            case .rtcp where bytes[1] == 200: reports.append(call.now)
            default: break
            }
        }
        call.run(until: .zero + .seconds(20))
        call.callerPeer.plaintextTap = nil
        let first = try #require(reports.first)
        #expect(first - (try #require(firstMedia)) <= .milliseconds(60))
        let gaps = zip(reports.dropFirst(3), reports.dropFirst(4)).map { ($1 - $0).milliseconds }
        #expect(gaps.count >= 12)
        #expect(gaps.allSatisfy { (499...1520).contains($0) }, "0.5 to 1.5 times a second")
        #expect(Set(gaps.map { Int($0 / 20) }).count > 5, "not in step")
    }

    @Test("RFC 9143 9.2: sources that nobody announced find their sections by MID")
    func unannouncedSourcesFindTheirSections() throws {
        var configuration = try VirtualCallConfiguration(link: "delay=20")
        configuration.video = .synthetic(framesPerSecond: 30, bytesPerFrame: 3000, bytesPerKeyFrame: 10_000)
        configuration.rewriteAnswer = { answer in
            answer.split(separator: "\r\n").filter { !$0.hasPrefix("a=ssrc") }.joined(separator: "\r\n") + "\r\n"
        }
        let call = try VirtualCall(configuration)
        call.run(until: .zero + .seconds(3))
        #expect(call.signallingError == nil)
        let result = call.result()
        #expect(result.calleeToCaller.pictures.count > 75)
        #expect(result.calleeToCaller.sounds.count > 250)
    }
}
