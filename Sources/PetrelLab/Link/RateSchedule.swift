internal import PetrelCore

/// The conditions of a link over time, and the capacity they add up to.
struct RateSchedule: Sendable {
    private struct Segment: Sendable {
        let start: Int64
        let conditions: LinkConditions
        /// Bits per second; zero where there is no limit.
        let rate: Int64
    }

    private let segments: [Segment]
    /// The segment of the latest time asked for. Times asked for never decrease.
    private var cursor = 0

    init(_ link: LinkDescription, start: Instant) {
        var segments = [
            Segment(
                start: .min, conditions: link.conditions, rate: link.conditions.rate?.bitsPerSecond ?? 0)
        ]
        for change in link.changes {
            segments.append(
                Segment(
                    start: (start + change.time).nanoseconds, conditions: change.conditions,
                    rate: change.conditions.rate?.bitsPerSecond ?? 0))
        }
        self.segments = segments
    }

    /// The conditions at `now`, which is no earlier than at the call before.
    mutating func conditions(at now: Instant) -> LinkConditions {
        while cursor + 1 < segments.count, segments[cursor + 1].start <= now.nanoseconds { cursor += 1 }
        return segments[cursor].conditions
    }

    /// When the last of `bits` that begin at `start` has left, whatever the rate changes to meanwhile.
    /// `start` is no earlier than the latest time asked for.
    func end(ofBits bits: Int64, from start: Instant) -> Instant {
        // Bits times nanoseconds per second: a datagram of 1 MiB is 2^23 bits, far from the end of an Int64.
        var work = bits * 1_000_000_000
        var time = start.nanoseconds
        var index = cursor
        while true {
            let end = index + 1 < segments.count ? segments[index + 1].start : Int64.max
            if time < end {
                let rate = segments[index].rate
                if rate == 0 { return Instant(nanoseconds: time) }
                let need = (work + rate - 1) / rate
                // Instants subtract and add without overflow.
                let room = (Instant(nanoseconds: end) - Instant(nanoseconds: time)).nanoseconds
                if need <= room { return Instant(nanoseconds: time) + TimeDelta(nanoseconds: need) }
                // room < need, so that this product is below the work there is.
                work -= rate * room
                time = end
            }
            index += 1
            if index == segments.count { return Instant(nanoseconds: time) }
        }
    }

    /// How many bits leave from `start`, which is no earlier than the latest time asked for, until `end`.
    func bits(from start: Instant, until end: Instant) -> Double {
        var sum = 0.0
        var time = start.nanoseconds
        var index = cursor
        while time < end.nanoseconds {
            let next = index + 1 < segments.count ? min(segments[index + 1].start, end.nanoseconds) : end.nanoseconds
            if next > time {
                sum += Double(segments[index].rate) * (Instant(nanoseconds: next) - Instant(nanoseconds: time)).seconds
                time = next
            }
            index += 1
            if index == segments.count { break }
        }
        return sum
    }
}
