import PetrelCore
import PetrelLab
import Testing

@Suite struct LinkDescriptionTests {
    @Test func everySettingIsRead() throws {
        let link = try LinkDescription(
            parsing: "delay=20,jitter=3.5,reorder=1,loss=5,ge=30,burst=3,rate=3000,queue=150,dup=1.25,mtu=1200,"
                + "outage=5+2,outage=1.5+0.25")
        var expected = LinkConditions(
            delay: .milliseconds(20), jitter: .microseconds(3500), reorders: true, loss: 5, burstLoss: 30,
            burst: .packets(3), rate: .kilobitsPerSecond(3000), queue: .milliseconds(150), duplication: 1.25,
            mtu: 1200)
        #expect(link.conditions == expected)
        #expect(
            link.outages == [
                .init(start: .milliseconds(1500), duration: .milliseconds(250)),
                .init(start: .seconds(5), duration: .seconds(2)),
            ])
        expected.burst = .time(.milliseconds(20))
        #expect(try LinkDescription(parsing: "ge=30,burstms=20").conditions.burst == expected.burst)
    }

    @Test func changesKeepWhatTheyDoNotName() throws {
        let link = try LinkDescription(parsing: "delay=20,loss=5,rate=3000;@10:rate=700,loss=0;@20.5:rate=0")
        #expect(link.changes.map(\.time) == [.seconds(10), .milliseconds(20_500)])
        #expect(link.changes[0].conditions.rate == .kilobitsPerSecond(700))
        #expect(link.changes[0].conditions.loss == 0)
        #expect(link.changes[0].conditions.delay == .milliseconds(20))
        #expect(link.changes[1].conditions.rate == nil)
        #expect(link.changes[1].conditions.delay == .milliseconds(20))
    }

    @Test(arguments: [
        ("", "delay=0"),
        ("  ", "delay=0"),
        ("delay=0", "delay=0"),
        ("loss=5,delay=20", "delay=20,loss=5"),
        (" delay = 20 , loss = 5.50 ", "delay=20,loss=5.5"),
        ("delay=020.500000", "delay=20.5"),
        ("ge=30,burst=3", "ge=30"),
        ("ge=30,burst=2.5", "ge=30,burst=2.5"),
        ("ge=30,burstms=20", "ge=30,burstms=20"),
        ("burstms=20;@3:ge=10", "burstms=20;@3:ge=10"),
        ("queue=200,rate=64.5", "rate=64.5"),
        ("rate=0,mtu=0", "delay=0"),
        ("outage=9+1,outage=2+0.5", "outage=2+0.5,outage=9+1"),
        ("delay=5;@1:delay=5;@2:delay=7;", "delay=5;@2:delay=7"),
        ("ge=30,burstms=5;@4:burst=7", "ge=30,burstms=5;@4:burst=7"),
        ("delay=0.000001", "delay=0.000001"),
        (
            "dup=1,mtu=1200,queue=50,rate=9,burst=9,ge=90,loss=100,reorder=1,jitter=1,delay=1",
            "delay=1,jitter=1,reorder=1,loss=100,ge=90,burst=9,rate=9,queue=50,dup=1,mtu=1200"
        ),
    ])
    func printIsCanonicalAndReadsBack(text: String, canonical: String) throws {
        let link = try LinkDescription(parsing: text)
        #expect(link.description == canonical)
        #expect(try LinkDescription(parsing: canonical) == link)
        #expect(try LinkDescription(parsing: canonical).description == canonical)
    }

    typealias Bad = (text: String, reason: LinkDescriptionError.Reason, column: Int, found: String)

    @Test(
        arguments: [
            ("dely=20", .unknownSetting, 1, "dely"),
            ("delay=20,los=5", .unknownSetting, 10, "los"),
            ("delay=20,,loss=5", .unknownSetting, 10, ""),
            ("delay=20,", .unknownSetting, 10, ""),
            ("=20", .unknownSetting, 1, ""),
            ("Delay=20", .unknownSetting, 1, "Delay"),
            ("d\u{E9}lai=3", .unknownSetting, 1, "d\u{E9}lai"),
            ("delay", .missingValue, 1, "delay"),
            ("loss=1, delay= ", .missingValue, 9, "delay="),
            ("delay=x", .malformedNumber, 7, "x"),
            ("delay=-1", .malformedNumber, 7, "-1"),
            ("delay=1e3", .malformedNumber, 7, "1e3"),
            ("delay=.5", .malformedNumber, 7, ".5"),
            ("delay=5.", .malformedNumber, 7, "5."),
            ("delay=1.2.3", .malformedNumber, 7, "1.2.3"),
            ("delay=1.2345678", .malformedNumber, 7, "1.2345678"),
            ("delay=99999999999999999999", .malformedNumber, 7, "99999999999999999999"),
            ("delay=20=30", .malformedNumber, 7, "20=30"),
            ("delay=60001", .outOfRange, 1, "delay=60001"),
            ("loss=100.000001", .outOfRange, 1, "loss=100.000001"),
            ("delay=1,loss=500", .outOfRange, 9, "loss=500"),
            ("ge=99.5", .outOfRange, 1, "ge=99.5"),
            ("ge=5,burst=0.5", .outOfRange, 6, "burst=0.5"),
            ("ge=90,burst=8.9", .outOfRange, 7, "burst=8.9"),
            ("ge=90", .outOfRange, 1, "ge=90"),
            ("burst=5;@1:ge=90", .outOfRange, 12, "ge=90"),
            ("burstms=0", .outOfRange, 1, "burstms=0"),
            ("reorder=2", .outOfRange, 1, "reorder=2"),
            ("reorder=0.5", .outOfRange, 1, "reorder=0.5"),
            ("rate=0.5", .outOfRange, 1, "rate=0.5"),
            ("mtu=63", .outOfRange, 1, "mtu=63"),
            ("mtu=1200.5", .outOfRange, 1, "mtu=1200.5"),
            ("outage=5", .malformedNumber, 8, "5"),
            ("outage=5+", .malformedNumber, 8, "5+"),
            ("outage=5+0", .outOfRange, 8, "5+0"),
            ("outage=5+2;@1:outage=9+1", .notInChange, 15, "outage=9+1"),
            ("loss=1,loss=2", .repeated, 8, "loss=2"),
            ("ge=1,burst=3,burstms=20", .repeated, 14, "burstms=20"),
            ("delay=1;loss=2", .malformedChange, 9, "loss=2"),
            ("delay=1;;@2:loss=2", .malformedChange, 9, ""),
            ("delay=1;@x:loss=2", .malformedChange, 9, "@x"),
            ("delay=1;@5", .malformedChange, 9, "@5"),
            ("delay=1;@5,loss=2", .malformedChange, 9, "@5"),
            ("delay=1;@2000000:loss=2", .malformedChange, 9, "@2000000"),
            ("delay=1;@5:", .missingValue, 12, ""),
            ("delay=1;@5:;@6:loss=1", .missingValue, 12, ""),
            ("delay=1;@5:loss=1;@5:loss=2", .changeOutOfOrder, 19, "@5:"),
        ] as [Bad])
    func whatIsWrongIsNamed(bad: Bad) {
        let error = #expect(throws: LinkDescriptionError.self) { try LinkDescription(parsing: bad.text) }
        #expect(error?.reason == bad.reason)
        #expect(error?.column == bad.column)
        #expect(error?.found == bad.found)
        #expect(error?.allowed.isEmpty == false)
    }

    @Test func theTextOfAnErrorSaysWhatWhereAndWhatIsAllowed() {
        let error = #expect(throws: LinkDescriptionError.self) { try LinkDescription(parsing: "delay=1,loss=500") }
        #expect(
            error?.description
                == "column 9: 'loss=500' is out of range; loss is the random loss in percent, 0 to 100")
    }

    @Test func limitsHold() {
        let outages = Array(repeating: "outage=1+1", count: LinkDescription.maximumOutages + 1)
        #expect(throws: LinkDescriptionError.self) {
            try LinkDescription(parsing: outages.joined(separator: ","))
        }
        #expect(throws: Never.self) {
            try LinkDescription(parsing: outages.dropLast().joined(separator: ","))
        }
        let changes = (0...LinkDescription.maximumChanges).map { "@\($0):delay=\($0 % 2)" }
        #expect(throws: LinkDescriptionError.self) {
            try LinkDescription(parsing: "delay=5;" + changes.joined(separator: ";"))
        }
        #expect(throws: Never.self) {
            try LinkDescription(parsing: "delay=5;" + changes.dropLast().joined(separator: ";"))
        }
        let long = String(repeating: " ", count: LinkDescription.maximumTextLength + 1)
        let error = #expect(throws: LinkDescriptionError.self) { try LinkDescription(parsing: long) }
        #expect(error?.reason == .tooMuch)
    }

    /// Texts made of good ones by changing, taking out, doubling and swapping bytes: each is read or refused, and
    /// what is read has a canonical text that means the same.
    @Test func mutatedTextsNeverTrap() throws {
        let seeds = [
            "delay=20,loss=5,jitter=3,reorder=0,rate=3000,queue=200,ge=30,burst=3;@10:rate=700,loss=0;@20:rate=0",
            "ge=30,burstms=20.5,dup=1,mtu=1200,outage=5+2,outage=9.5+0.25;@1:burst=4,ge=60;@2.000001:burstms=1",
            "delay=0",
        ].map { Array($0.utf8) }
        let alphabet = Array("0123456789.,;@:+=-e abdegijlmnopqrstuy\n\u{E9}\u{0}".utf8)
        var random = SeededGenerator(seed: 7)
        var read = 0
        for round in 0..<40_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[place] = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 2 where bytes.count > 1: bytes.remove(at: place)
                case 3: bytes.insert(alphabet[Int.random(in: 0..<alphabet.count, using: &random)], at: place)
                default: bytes.append(contentsOf: bytes[place...].prefix(12))
                }
            }
            guard let link = try? LinkDescription(parsing: String(decoding: bytes, as: UTF8.self)) else { continue }
            read += 1
            let text = link.description
            let again = try LinkDescription(parsing: text)
            #expect(again == link && again.description == text, "\(String(decoding: bytes, as: UTF8.self))")
        }
        // Both ways are taken often enough to mean something.
        #expect(read > 1_000 && read < 39_000, "\(read)")
    }

    @Test func whatIsSetInCodeIsBroughtIntoRange() throws {
        var conditions = LinkConditions(
            delay: .seconds(-1), jitter: .infinite, loss: .nan, burstLoss: 400, burst: .packets(-3),
            rate: DataRate(bitsPerSecond: .max), duplication: -.infinity, mtu: -7)
        var link = LinkDescription(
            conditions, outages: [.init(start: .infinite, duration: .infinite), .init(start: .zero, duration: .zero)],
            changes: [
                .init(time: .seconds(9), conditions: LinkConditions(loss: 9)),
                .init(time: .seconds(3), conditions: LinkConditions(loss: 3)),
                .init(time: .seconds(3), conditions: LinkConditions(loss: 4)),
            ])
        #expect(try LinkDescription(parsing: link.description) == link.normalized)
        #expect(link.normalized.changes.map(\.conditions.loss) == [4, 9])
        #expect(link.normalized.outages.count == 1)
        conditions.rate = DataRate(bitsPerSecond: 0)
        link.conditions = conditions
        #expect(try LinkDescription(parsing: link.description) == link.normalized)
        #expect(link.normalized.conditions.rate == .kilobitsPerSecond(1))
    }
}
