import PetrelCore
import Testing

@Suite struct ValuesTests {
    @Test func sequenceNumbersUnwrapByTheHalfWindowRule() {
        var unwrapper = SequenceUnwrapper()
        #expect(unwrapper.unwrap(65_530) == 65_530)
        #expect(unwrapper.unwrap(5) == 65_541)
        #expect(unwrapper.unwrap(65_535) == 65_535)
        #expect(unwrapper.peek(6) == 65_542)
        #expect(unwrapper.unwrap(6) == 65_542)
        var other = SequenceUnwrapper()
        #expect(other.unwrap(3) == 3)
        #expect(other.unwrap(65_535) == -1)
    }

    @Test func timestampsUnwrapNearTheLastOne() {
        var unwrapper = TimestampUnwrapper()
        #expect(unwrapper.unwrap(0xFFFF_FF00) == 0xFFFF_FF00)
        #expect(unwrapper.unwrap(0x100) == 0x1_0000_0100)
        #expect(unwrapper.unwrap(0xFFFF_FFFF) == 0xFFFF_FFFF)
    }

    @Test func addressesPrintAsTheyRead() throws {
        let four = try #require(TransportAddress("192.0.2.1", port: 3478))
        #expect("\(four)" == "192.0.2.1:3478")
        #expect(four.low == 0xC000_0201)
        let six = try #require(TransportAddress("2001:db8::1", port: 443))
        #expect("\(six)" == "[2001:db8::1]:443")
        #expect(TransportAddress("example.org", port: 1) == nil)
        #expect(TransportAddress("", port: 1) == nil)
        let mapped = try #require(TransportAddress("::ffff:127.0.0.1", port: 9))
        #expect(mapped.unmapped == TransportAddress("127.0.0.1", port: 9))
        #expect(six.unmapped == six)
    }

    @Test func ratesAndTimesBelongTogether() {
        let rate = DataRate.kilobitsPerSecond(1200)
        #expect(rate.time(forBytes: 1500) == .milliseconds(10))
        #expect(rate.bytes(in: .milliseconds(10)) == 1500)
        #expect(DataRate(bytes: 1500, over: .milliseconds(10)) == rate)
        #expect(DataRate.zero.time(forBytes: 1) == .infinite)
        #expect(DataRate(bitsPerSecond: -5) == .zero)
        #expect(DataRate(bytes: 1, over: .zero) == .zero)
    }

    @Test func aSeedGivesTheKnownSequence() {
        // SplitMix64 from the seed 1234567: the values published with the algorithm.
        var generator = SeededGenerator(seed: 1_234_567)
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
        var random = RandomSource(seed: 7)
        let bytes = random.bytes(13)
        #expect(bytes.count == 13)
        #expect(Set(bytes).count > 5)
    }

    @Test func everyDropReasonHasACounter() {
        var counters = DropCounters()
        for reason in DropReason.allCases { counters.count(reason) }
        #expect(counters.total == UInt64(DropReason.allCases.count))
        #expect(counters.nonZero.allSatisfy { $0.count == 1 })
    }
}
