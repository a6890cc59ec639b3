import PetrelCore
import PetrelLab
import Testing

@Suite struct CapacityTraceTests {
    @Test func readsAndRefuses() {
        #expect(CapacityTrace(parsing: "# cell\n0\n5\n5\n\n12\r\n")?.opportunities == [0, 5, 5, 12])
        #expect(CapacityTrace(parsing: "") == nil)
        #expect(CapacityTrace(parsing: "5\n4") == nil)
        #expect(CapacityTrace(parsing: "5\nx") == nil)
        #expect(CapacityTrace(parsing: "-5") == nil)
        #expect(CapacityTrace(parsing: "99999999999") == nil)
    }

    @Test func aLinkFollowsIt() throws {
        // 1 packet per ms (12 Mbit/s) for 100 ms, then 1 per 10 ms (1.2 Mbit/s) for 100 ms, then again.
        let times = (0..<100).map(String.init) + stride(from: 100, to: 200, by: 10).map(String.init)
        let trace = try #require(CapacityTrace(parsing: times.joined(separator: "\n")))
        let base = try LinkDescription(parsing: "delay=10,queue=100;@1:loss=5")
        let link = trace.applied(to: base, length: .milliseconds(400))
        #expect(link.conditions.rate == .kilobitsPerSecond(12_000))
        #expect(link.changes.map(\.time) == [.milliseconds(100), .milliseconds(200), .milliseconds(300)])
        #expect(link.changes.map { $0.conditions.rate?.kilobitsPerSecond } == [1200, 12_000, 1200])
        #expect(link.changes.allSatisfy { $0.conditions.delay == .milliseconds(10) && $0.conditions.loss == 0 })
    }

    @Test func aSilentWindowHasTheFloor() throws {
        let trace = try #require(CapacityTrace(parsing: "0\n250"))
        let link = trace.applied(to: .perfect, length: .milliseconds(300))
        #expect(link.changes.map { $0.conditions.rate?.kilobitsPerSecond } == [8, 120])
    }
}
