import PetrelCore
import PetrelWire
import Testing

@Suite("Absolute send time")
struct AbsSendTimeTests {
    @Test("6.18 fixed point of the seconds")
    func fixedPoint() {
        #expect(AbsSendTime(.zero).bits == 0)
        #expect(AbsSendTime(Instant(nanoseconds: 1_000_000_000)).bits == 1 << 18)
        #expect(AbsSendTime(Instant(nanoseconds: 63_500_000_000)).bits == 63 << 18 | 1 << 17)
        #expect(AbsSendTime(Instant(nanoseconds: 64_000_000_000)).bits == 0)
        #expect(AbsSendTime(Instant(nanoseconds: -500_000_000)).bits == 63 << 18 | 1 << 17)
        #expect(AbsSendTime(.distantFuture).bits <= 0xFF_FFFF)
        #expect(AbsSendTime(.distantPast).bits <= 0xFF_FFFF)
        #expect(AbsSendTime(bits: 0xFFFF_FFFF).bits == 0xFF_FFFF)
    }

    @Test("differences are right across the wrap, within 4 us")
    func differences() {
        var random = SeededGenerator(seed: 618)
        for _ in 0..<2000 {
            let start = Instant(nanoseconds: Int64.random(in: 0...1_000_000_000_000, using: &random))
            let step = TimeDelta(nanoseconds: Int64.random(in: -31_000_000_000...31_000_000_000, using: &random))
            let measured = AbsSendTime(start + step).since(AbsSendTime(start))
            #expect((measured - step).magnitude <= .microseconds(4))
        }
        #expect(AbsSendTime(bits: 0).since(AbsSendTime(bits: 0xFF_FFFF)) == TimeDelta(nanoseconds: 3814))
        #expect(AbsSendTime(bits: 0x80_0000).since(AbsSendTime(bits: 0)) == .seconds(-32))
    }

    @Test("audio level is clamped to its seven bits")
    func audioLevel() {
        #expect(AudioLevel(level: 200, isVoice: false).level == 127)
    }
}
