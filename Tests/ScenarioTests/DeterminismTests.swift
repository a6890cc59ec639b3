import Foundation
import PetrelCore
import PetrelLab
import PetrelScenario
import Testing

/// The same seed gives the same bytes, today, tomorrow, and in another process.
@Suite struct DeterminismTests {
    /// A call with real codecs and loss, reordering, and a queue: everything that chance touches.
    static func traceHash(seed: UInt64) throws -> UInt64 {
        let configuration = try VirtualCallConfiguration.small(
            "delay=20,loss=5,jitter=5,reorder=1,rate=4000,queue=200", seconds: 3, seed: seed)
        let result = try VirtualCall(configuration).run()
        #expect(result.callerToCallee.pictures.count > 60)
        return result.traceHash
    }

    @Test func sameSeedSameBytes() throws {
        let first = try Self.traceHash(seed: 7)
        #expect(try Self.traceHash(seed: 7) == first)
        #expect(try Self.traceHash(seed: 8) != first)
    }

    /// This test runs this very test program twice more. Every process hashes its dictionaries with another seed and
    /// has its memory elsewhere: what leans on either shows here.
    @Test func sameBytesInSeparateProcesses() throws {
        if let file = OwnProcess.answerFile {
            try "\(Self.traceHash(seed: 7))".write(toFile: file, atomically: true, encoding: .utf8)
            return
        }
        let own = try Self.traceHash(seed: 7)
        for run in 1...2 {
            #expect(try OwnProcess.run("sameBytesInSeparateProcesses") == "\(own)", "process \(run)")
        }
    }
}
