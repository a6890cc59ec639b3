/// Pitch-synchronous overlap-add (WSOLA): takes out or repeats one period of the waveform at the front of the
/// waiting samples, blending over the seam, so that time passes faster or slower and pitch stays.
///
/// The period is the lag of highest normalised cross-correlation, found at 6 kHz and refined at 48 kHz.
final class TimeStretch {
    /// The shortest and the longest lag tried, in samples: 2.5 ms and 15 ms, the periods of 400 Hz and 67 Hz.
    static let lags = 120...720
    /// The samples compared: 10 ms.
    static let window = 480
    private static let decimation = 8
    private static let span = lags.upperBound + lags.upperBound + window

    struct Match {
        var lag: Int
        /// Normalised cross-correlation at `lag`, -1 to 1; 1 in silence.
        var correlation: Double
    }

    private let mono: UnsafeMutablePointer<Float>
    private let low: UnsafeMutablePointer<Float>

    init() {
        mono = .allocate(capacity: Self.span)
        low = .allocate(capacity: Self.span / Self.decimation + 1)
        mono.initialize(repeating: 0, count: Self.span)
        low.initialize(repeating: 0, count: Self.span / Self.decimation + 1)
    }

    deinit {
        mono.deallocate()
        low.deallocate()
    }

    /// Removes up to `most` samples; answers how many, zero where the sound offers no seam that good.
    ///
    /// - Parameters:
    ///   - threshold: the least correlation accepted, 0 to 1.
    ///   - most: the most to remove, at least ``lags``' lower bound for anything to happen.
    func accelerate(_ samples: PlayoutSamples, most: Int, threshold: Double) -> Int {
        let longest = min(most, Self.lags.upperBound, samples.count - Self.window)
        guard longest >= Self.lags.lowerBound else { return 0 }
        mix(samples.front, channels: samples.channels, from: 0, count: longest + Self.window)
        guard
            let match = search(origin: 0, direction: 1, lags: Self.lags.lowerBound...longest, window: Self.window),
            match.correlation >= threshold
        else { return 0 }
        let overlap = min(match.lag, Self.window)
        let front = samples.front
        blend(
            front, fadingTo: front + match.lag * samples.channels, into: front, channels: samples.channels,
            count: overlap, correlation: match.correlation)
        samples.remove(match.lag, after: overlap)
        return match.lag
    }

    /// Inserts up to `most` samples; answers how many, zero where the sound offers no seam that good.
    func decelerate(_ samples: PlayoutSamples, most: Int, threshold: Double) -> Int {
        let window = min(Self.window, samples.count)
        let longest = min(most, Self.lags.upperBound)
        guard longest >= Self.lags.lowerBound, window >= Self.lags.lowerBound else { return 0 }
        mix(samples.front, channels: samples.channels, from: -longest, count: longest + window)
        guard
            let match = search(
                origin: longest, direction: -1, lags: Self.lags.lowerBound...longest, window: window),
            match.correlation >= threshold
        else { return 0 }
        let lag = match.lag
        let overlap = min(lag, window)
        let channels = samples.channels
        // Everything from the end of the seam on comes `lag` later. The seam itself starts as the old front and
        // becomes the sound of one period earlier; it is computed from the moved copy, before the hole is filled.
        samples.open(lag, after: 0)
        let front = samples.front
        let old = front + lag * channels
        blend(
            old, fadingTo: front - lag * channels, into: front, channels: channels, count: overlap,
            correlation: match.correlation)
        if overlap < lag {
            // Still one period earlier: the samples between the seam and the moved front come from the history.
            let rest = (lag - overlap) * channels
            (front + overlap * channels).update(from: front + (overlap - lag) * channels, count: rest)
        }
        return lag
    }

    /// Writes a blend of `first` and `second`, of equal power at every correlation.
    func blend(
        _ first: UnsafePointer<Int16>, fadingTo second: UnsafePointer<Int16>, into output: UnsafeMutablePointer<Int16>,
        channels: Int, count: Int, correlation: Double
    ) {
        guard count > 0 else { return }
        let likeness = Float(min(1, max(0, correlation)))
        for index in 0..<count {
            let right = (Float(index) + 0.5) / Float(count)
            let left = 1 - right
            let gain = 1 / (left * left + right * right + 2 * left * right * likeness).squareRoot()
            for channel in 0..<channels {
                let at = index * channels + channel
                let value = (left * Float(first[at]) + right * Float(second[at])) * gain
                output[at] = Int16(max(-32768, min(32767, value.rounded())))
            }
        }
    }

    private func mix(_ front: UnsafePointer<Int16>, channels: Int, from: Int, count: Int) {
        let source = front + from * channels
        if channels == 1 {
            for index in 0..<count { mono[index] = Float(source[index]) }
        } else {
            for index in 0..<count { mono[index] = Float(source[2 * index]) + Float(source[2 * index + 1]) }
        }
        for index in 0..<(count / Self.decimation) {
            var sum: Float = 0
            for part in 0..<Self.decimation { sum += mono[index * Self.decimation + part] }
            low[index] = sum / Float(Self.decimation)
        }
    }

    private func search(origin: Int, direction: Int, lags: ClosedRange<Int>, window: Int) -> Match? {
        // Mean square below 24 (about -62 dBFS): a seam cannot be heard, the whole lag may go.
        var energy: Float = 0
        for index in 0..<window { energy += mono[origin + index] * mono[origin + index] }
        if energy < 576 * Float(window) { return Match(lag: lags.upperBound, correlation: 1) }

        // Coarse, at 6 kHz.
        let step = Self.decimation
        let lowOrigin = origin / step
        let lowWindow = window / step
        let lowEnergy = Self.energy(low + lowOrigin, lowWindow, stride: 1)
        var coarse = lags.lowerBound
        var best: Float = -2
        let lowest = (lags.lowerBound + step - 1) / step
        let highest = lags.upperBound / step
        if lowest <= highest {
            for lag in lowest...highest {
                let start = lowOrigin + direction * lag
                guard start >= 0 else { break }
                let value = Self.likeness(low + lowOrigin, low + start, lowWindow, stride: 1, energy: lowEnergy)
                // Of equally good periods, the longest: fewer seams for the same change.
                if value > best - 0.005 {
                    best = max(best, value)
                    coarse = lag * step
                }
            }
        }
        // Fine, at 48 kHz, every second sample of the window.
        let fullEnergy = Self.energy(mono + origin, window, stride: 2)
        var lag = coarse
        var fine: Float = -2
        for candidate in max(lags.lowerBound, coarse - step)...min(lags.upperBound, coarse + step) {
            let value = Self.likeness(
                mono + origin, mono + origin + direction * candidate, window, stride: 2, energy: fullEnergy)
            if value > fine {
                fine = value
                lag = candidate
            }
        }
        return Match(lag: lag, correlation: Double(fine))
    }

    private static func energy(_ signal: UnsafePointer<Float>, _ count: Int, stride step: Int) -> Float {
        var sum: Float = 0
        var index = 0
        while index < count {
            sum += signal[index] * signal[index]
            index += step
        }
        return sum
    }

    private static func likeness(
        _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ count: Int, stride step: Int, energy: Float
    ) -> Float {
        var product: Float = 0
        var other: Float = 0
        var index = 0
        while index < count {
            product += left[index] * right[index]
            other += right[index] * right[index]
            index += step
        }
        let norm = (energy * other).squareRoot()
        return norm > 1 ? product / norm : 0
    }
}
