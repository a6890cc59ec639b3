public import PetrelCore
public import PetrelWire

/// When each transport-wide numbered packet arrived, until it has been reported
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
public struct ArrivalRecorder: Sendable {
    /// Packets remembered between two reports: 4 s at 500 packets a second.
    static let capacity = 2048
    /// A report is sent this often while packets arrive...
    static let interval = TimeDelta.milliseconds(50)
    /// ...and at once when so many wait.
    static let packetsPerReport = 100

    private var unwrapper = SequenceUnwrapper()
    private var arrivals: [(sequence: Int64, arrival: Instant)]
    /// The first number of the next report.
    private var next: Int64?
    private var highest: Int64 = 0
    private var waiting = 0
    private var firstWaiting: Instant?
    private var reports: UInt8 = 0

    public init() {
        arrivals = Array(repeating: (-1, .zero), count: Self.capacity)
    }

    /// Notes an arrival. Duplicates keep their first time.
    public mutating func record(_ number: UInt16, now: Instant) {
        let sequence = unwrapper.unwrap(number)
        guard sequence >= 0 else { return }
        let index = Int(sequence % Int64(Self.capacity))
        guard arrivals[index].sequence < sequence else { return }
        arrivals[index] = (sequence, now)
        guard let start = next else {
            (next, highest) = (sequence, sequence)
            noteWaiting(now)
            return
        }
        // Older than the last report: the number was reported missing, so it starts the next report again.
        if sequence < start, start - sequence < Int64(Self.packetsPerReport) { next = sequence }
        highest = max(highest, sequence)
        if highest - (next ?? highest) >= Int64(Self.capacity) { next = highest - Int64(Self.capacity) + 1 }
        noteWaiting(now)
    }

    private mutating func noteWaiting(_ now: Instant) {
        waiting += 1
        if firstWaiting == nil { firstWaiting = now }
    }

    /// When the next report is due.
    public var nextDeadline: Instant {
        guard let firstWaiting else { return .distantFuture }
        return waiting >= Self.packetsPerReport ? firstWaiting : firstWaiting + Self.interval
    }

    /// The next report, if one is due. To be called until it answers nothing.
    public mutating func report(senderSSRC: UInt32, mediaSSRC: UInt32, now: Instant) -> TransportFeedback? {
        guard nextDeadline <= now, let start = next, start <= highest else {
            if nextDeadline <= now { (waiting, firstWaiting) = (0, nil) }
            return nil
        }
        var builder = TransportFeedbackBuilder(
            senderSSRC: senderSSRC, mediaSSRC: mediaSSRC, feedbackPacketCount: reports)
        var sequence = start
        while sequence <= highest {
            let noted = arrivals[Int(sequence % Int64(Self.capacity))]
            let arrival = noted.sequence == sequence ? noted.arrival : nil
            guard builder.add(UInt16(truncatingIfNeeded: sequence), arrival: arrival) else { break }
            sequence += 1
        }
        // A packet that fits no report (a hole of more than 8 s in time) is passed over.
        next = max(sequence, start + 1)
        if sequence > highest { (waiting, firstWaiting) = (0, nil) }
        guard let feedback = builder.feedback else { return nil }
        reports &+= 1
        return feedback
    }
}
