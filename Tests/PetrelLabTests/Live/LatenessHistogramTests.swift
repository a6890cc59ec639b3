import PetrelCore
import Testing

@testable import PetrelLab

@Suite struct LatenessHistogramTests {
    @Test func percentilesLieWithinASixteenth() throws {
        var histogram = LatenessHistogram()
        #expect(histogram.percentile(0.5) == nil)
        for value in 1...10_000 { histogram.record(.microseconds(value)) }
        for fraction in [0.01, 0.25, 0.5, 0.9, 0.99] {
            let value = try #require(histogram.percentile(fraction)).milliseconds
            #expect(value >= fraction * 10 && value <= fraction * 10 * 1.0626 + 0.002, "\(fraction): \(value)")
        }
        #expect(histogram.percentile(1) == .milliseconds(10) && histogram.maximum == .milliseconds(10))
        #expect(histogram.count == 10_000)
    }

    @Test func extremesFindABucket() {
        var histogram = LatenessHistogram()
        for value in [TimeDelta.seconds(-5), .zero, .infinite, TimeDelta(nanoseconds: .min)] {
            histogram.record(value)
        }
        #expect(histogram.count == 4 && histogram.maximum == .infinite)
        #expect(histogram.percentile(0.5) == .microseconds(1))
        #expect(histogram.percentile(.nan) != nil)
    }

    @Test func everyBoundaryIsInItsBucket() {
        for exponent in 0..<28 {
            for offset in -1...1 {
                let value = (1 << exponent) + offset
                var histogram = LatenessHistogram()
                histogram.record(.microseconds(value))
                histogram.record(.seconds(1_000_000))
                let answer = histogram.percentile(0.5) ?? .zero
                #expect(answer > .microseconds(value) && answer.milliseconds <= Double(value) * 1.0626 / 1000 + 0.001)
            }
        }
    }
}
