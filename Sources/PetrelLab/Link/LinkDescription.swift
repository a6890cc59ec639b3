public import PetrelCore

/// One direction of a network: its conditions at the start, its outages, and how the conditions change with time.
///
/// There is a text form, the same in tests, on command lines and in reports:
///
///     delay=20,loss=5,jitter=3,rate=3000,queue=200,outage=12+2;@10:rate=700,loss=0;@20:rate=3000
///
/// Settings are separated by commas. After a semicolon, `@SECONDS:` begins the settings that change at that time
/// after the start; what is not named stays as it was. Spaces are ignored; numbers have at most six decimals.
///
/// | setting | meaning | without it |
/// |---|---|---|
/// | `delay=20` | one-way delay in milliseconds | 0 |
/// | `jitter=3` | standard deviation of the delay in milliseconds (normal, never below no delay at all) | 0 |
/// | `reorder=1` | jitter may change the order of packets | 0: it keeps the order |
/// | `loss=5` | random loss in percent | 0 |
/// | `ge=30` | loss in bursts (Gilbert-Elliott) in percent | 0 |
/// | `burst=3` | mean burst of `ge` in packets | 3 |
/// | `burstms=20` | mean burst of `ge` in milliseconds, instead of packets | |
/// | `rate=3000` | capacity in kbit/s of UDP payload; 0: unlimited | 0 |
/// | `queue=200` | drop-tail queue before the capacity, in milliseconds at that rate | 200 |
/// | `dup=1` | packets that arrive twice, in percent | 0 |
/// | `mtu=1200` | larger datagrams are dropped (bytes of UDP payload); 0: no limit | 0 |
/// | `outage=5+2` | from 5 s, for 2 s, everything sent is dropped; may be given more than once | none |
///
/// ``description`` is canonical: it names what differs from the defaults, in the order of the table, and
/// ``init(parsing:)`` makes the same value of it.
public struct LinkDescription: Hashable, Sendable {
    /// A time in which everything that is sent is dropped.
    public struct Outage: Hashable, Sendable {
        /// When it begins, after the start of the link.
        public var start: TimeDelta
        public var duration: TimeDelta

        public init(start: TimeDelta, duration: TimeDelta) {
            self.start = start
            self.duration = duration
        }
    }

    /// New conditions from a time on.
    public struct Change: Hashable, Sendable {
        /// When they begin, after the start of the link.
        public var time: TimeDelta
        /// All conditions from then on, also those that stay as they were.
        public var conditions: LinkConditions

        public init(time: TimeDelta, conditions: LinkConditions) {
            self.time = time
            self.conditions = conditions
        }
    }

    /// The most characters of a text: a script of all changes fits; longer texts are refused unread.
    public static let maximumTextLength = 65_536
    /// The most outages. Each packet looks at the next one only; the limit bounds hostile texts.
    public static let maximumOutages = 256
    /// The most changes in a text (a capacity trace set in code may have more).
    public static let maximumChanges = 1024

    /// The conditions at the start.
    public var conditions: LinkConditions
    /// The outages, in any order.
    public var outages: [Outage]
    /// The changes, in any order.
    public var changes: [Change]

    /// A link with these conditions at the start.
    public init(_ conditions: LinkConditions = LinkConditions(), outages: [Outage] = [], changes: [Change] = []) {
        self.conditions = conditions
        self.outages = outages
        self.changes = changes
    }

    /// A link without delay, loss or limit.
    public static let perfect = LinkDescription()

    /// The same link in the form that parsing gives: values within their ranges, times in order and in whole
    /// microseconds, changes that change nothing left out.
    public var normalized: LinkDescription {
        var result = LinkDescription(conditions.clamped)
        result.outages =
            outages
            .map { Outage(start: Self.wholeMicroseconds($0.start), duration: Self.wholeMicroseconds($0.duration)) }
            .filter { $0.duration > .zero }
            .sorted { ($0.start, $0.duration) < ($1.start, $1.duration) }
        // Array.sorted is stable: of two changes at one time the one given later wins.
        let ordered =
            changes
            .map { Change(time: Self.wholeMicroseconds($0.time), conditions: $0.conditions.clamped) }
            .sorted { $0.time < $1.time }
        for (index, change) in ordered.enumerated() {
            if index + 1 < ordered.count, ordered[index + 1].time == change.time { continue }
            if change.conditions != (result.changes.last?.conditions ?? result.conditions) {
                result.changes.append(change)
            }
        }
        return result
    }

    /// The time within what the text language can express.
    private static func wholeMicroseconds(_ time: TimeDelta) -> TimeDelta {
        let limit = LinkKey.outage.range.upperBound
        return TimeDelta(nanoseconds: min(max(0, time.nanoseconds / 1000), limit) * 1000)
    }
}
