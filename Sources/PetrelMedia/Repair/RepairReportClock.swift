internal import PetrelCore

/// When the next report of what is missing is due, and which pictures it acknowledges.
struct RepairReportClock {
    /// Between reports while something is missing: reports are lost too, and each tells all.
    static let urgent = TimeDelta.milliseconds(10)
    /// Between reports otherwise.
    static let regular = TimeDelta.milliseconds(50)

    private(set) var next = Instant.distantFuture
    private var last = Instant.distantPast
    private(set) var newestPicture: UInt16?
    private(set) var earlierPictures: UInt32 = 0

    /// Something came in; `isLacking`: something is missing after it.
    mutating func received(isLacking: Bool, now: Instant) {
        let due = max(now, last + (isLacking ? Self.urgent : Self.regular))
        next = isLacking ? min(next, due) : next == .distantFuture ? due : next
    }

    /// A report leaves.
    mutating func sent(isLacking: Bool, now: Instant) {
        last = now
        next = now + (isLacking ? Self.urgent : Self.regular)
    }

    /// A picture was handed to the decoder.
    mutating func delivered(_ picture: UInt16) {
        defer { newestPicture = picture }
        guard let newest = newestPicture else { return }
        let ahead = Int((picture &- newest) & 0x7FFF)
        guard ahead > 0, ahead <= 32 else {
            earlierPictures = 0
            return
        }
        earlierPictures = (ahead == 32 ? 0 : earlierPictures >> UInt32(ahead)) | 1 << UInt32(32 - ahead)
    }
}
