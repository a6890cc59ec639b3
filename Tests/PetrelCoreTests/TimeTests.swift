import PetrelCore
import Testing

@Suite struct TimeTests {
    @Test func arithmeticSaturatesInsteadOfTrapping() {
        #expect(Instant.distantFuture + .seconds(1) == .distantFuture)
        #expect(Instant.distantPast - .seconds(1) == .distantPast)
        #expect(Instant.distantFuture - .distantPast == .infinite)
        #expect(TimeDelta.seconds(Int.max) == .infinite)
        #expect(TimeDelta.seconds(Double.nan) == .zero)
        #expect(TimeDelta.seconds(Double.infinity) == .infinite)
        #expect(TimeDelta.infinite / 0 == .zero)
        #expect(TimeDelta(nanoseconds: .min).magnitude == .infinite)
    }

    @Test func ntpKnownAnswers() {
        // RFC 868 / RFC 5905: 1970-01-01 is 2,208,988,800 s after 1900-01-01.
        #expect(NTPTime(unixNanoseconds: 0).bits == 2_208_988_800 << 32)
        #expect(NTPTime(unixNanoseconds: 500_000_000).bits == UInt64(2_208_988_800) << 32 | UInt64(0x8000_0000))
        #expect(NTPTime(bits: 0x1234_5678_9ABC_DEF0).compact == 0x5678_9ABC)
        // 2036-02-07 06:28:16 UTC: the era begins anew.
        #expect(NTPTime(unixNanoseconds: 2_085_978_496_000_000_000).bits == 0)
    }

    @Test(arguments: [
        0, 1, 999_999_999, 1_767_225_600_123_456_789, 2_085_978_496_000_000_000, 4_000_000_000_500_000_000,
    ])
    func unixTimeSurvivesNTP(nanoseconds: Int64) {
        let back = NTPTime(unixNanoseconds: nanoseconds).unixNanoseconds
        #expect(abs(back - nanoseconds) <= 1)
    }

    @Test func differencesCrossTheEra() {
        let before = NTPTime(unixNanoseconds: 2_085_978_495_000_000_000)
        let after = NTPTime(unixNanoseconds: 2_085_978_497_250_000_000)
        #expect(after.since(before) == .milliseconds(2250))
        #expect(before.since(after) == .milliseconds(-2250))
        #expect(before.advanced(by: .milliseconds(2250)) == after)
    }

    @Test func aWallClockMapsBothWays() {
        let clock = WallClock(unixNanoseconds: 1_767_225_600_000_000_000, at: Instant(nanoseconds: 5_000_000_000))
        let instant = Instant(nanoseconds: 7_250_000_000)
        #expect(abs(clock.unixNanoseconds(at: instant) - 1_767_225_602_250_000_000) <= 1)
        #expect((clock.instant(of: clock.ntp(at: instant)) - instant).magnitude <= TimeDelta(nanoseconds: 1))
    }

    @Test func mediaTimeRoundsToTheNearestTick() {
        #expect(MediaTime(delta: .milliseconds(20), clockRate: 48_000).ticks == 960)
        #expect(MediaTime(delta: .seconds(1.0 / 30), clockRate: 90_000).ticks == 3000)
        #expect(MediaTime(ticks: -90_000, clockRate: 90_000).delta == .seconds(-1))
        #expect(MediaTime(ticks: .max, clockRate: 1).delta == .infinite)
    }
}
