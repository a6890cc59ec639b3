import Foundation
import PetrelCore
import Testing

@testable import PetrelSDP

@Suite struct MutationTests {
    /// Offers to start from: our own, the samples, and what browsers write where the corpora are there.
    static func seeds() throws -> [[UInt8]] {
        var seeds = [Array(Samples.both.utf8), Array(Samples.one.utf8)]
        seeds.append(Array(try Samples.caller(1).createOffer().text().utf8))
        for url in Vectors.files("sdp-real", suffix: ".sdp") { seeds.append(Array(try Data(contentsOf: url))) }
        return seeds
    }

    static func mutate(_ seed: [UInt8], _ random: inout RandomSource) -> [UInt8] {
        var lines = seed.split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) }
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let line = Int.random(in: 0..<lines.count, using: &random)
            let other = Int.random(in: 0..<lines.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: lines.remove(at: line)
            case 1: lines.insert(lines[other], at: line)
            case 2: lines.swapAt(line, other)
            case 3:
                if !lines[line].isEmpty {
                    let place = Int.random(in: 0..<lines[line].count, using: &random)
                    lines[line][place] = UInt8(truncatingIfNeeded: random.next())
                }
            case 4:
                if !lines[line].isEmpty {
                    let place = Int.random(in: 0..<lines[line].count, using: &random)
                    lines[line].insert(UInt8(ascii: "9"), at: place)
                }
            case 5: lines[line] = Array(lines[line].prefix(Int.random(in: 0...lines[line].count, using: &random)))
            case 6:
                // A number becomes another.
                let numbers = [
                    "0", "1", "96", "111", "127", "128", "255", "65535", "4294967295", "18446744073709551615",
                ]
                if let place = lines[line].firstIndex(where: { $0 >= 0x30 && $0 <= 0x39 }) {
                    let end = lines[line][place...].firstIndex { $0 < 0x30 || $0 > 0x39 } ?? lines[line].count
                    lines[line].replaceSubrange(place..<end, with: numbers.randomElement(using: &random)!.utf8)
                }
            default:
                // Words of one line change places.
                var words = lines[line].split(separator: 0x20).map { Array($0) }
                words.shuffle(using: &random)
                lines[line] = Array(words.joined(separator: [0x20]))
            }
            if lines.isEmpty { lines = [[0x76]] }
        }
        return Array(lines.joined(separator: [0x0A]))
    }

    /// Whatever an offer becomes, there is no trap, and an answer holds nothing that was not offered.
    @Test func mutatedOffers() throws {
        let seeds = try Self.seeds()
        var random = RandomSource(seed: 2026)
        var (answered, refused) = (0, 0)
        for round in 0..<6000 {
            let offer = Self.mutate(seeds[round % seeds.count], &random)
            var negotiator = Samples.caller(3)
            do {
                let parsed = try SessionDescription(parsing: offer)
                #expect(try SessionDescription(parsing: parsed.text()) == parsed, "round \(round)")
                try negotiator.applyRemote(parsed, .offer)
                let answer = try negotiator.createAnswer()
                try negotiator.applyLocal(answer, .answer)
                #expect(faults(of: try SessionDescription(parsing: answer.text()), to: parsed) == [], "round \(round)")
                answered += 1
            } catch {
                refused += 1
            }
        }
        #expect(answered > 500 && refused > 500)
        print("mutated offers: \(answered) answered, \(refused) refused")
    }

    /// Mutated offers within a session: an error leaves it as it was.
    @Test func mutatedReoffers() throws {
        var callee = Samples.caller(2)
        let first = try Samples.caller(1).createOffer()
        try callee.applyRemote(first, .offer)
        try callee.applyLocal(callee.createAnswer(), .answer)
        let seed = Array(try first.text().utf8)
        var random = RandomSource(seed: 2028)
        var (answered, refused) = (0, 0)
        for round in 0..<2000 {
            var copy = callee
            do {
                let parsed = try SessionDescription(parsing: Self.mutate(seed, &random))
                try copy.applyRemote(parsed, .offer)
                if copy.remoteOfferRestartsICE { copy.transport = try copy.transport.restarted(using: &random) }
                let answer = try copy.createAnswer()
                #expect(faults(of: answer, to: parsed) == [], "round \(round)")
                try copy.applyLocal(answer, .answer)
                _ = try copy.createOffer().text()
                answered += 1
            } catch {
                #expect(copy.state == .stable && copy.session == callee.session)
                #expect(copy.transceivers == callee.transceivers && copy.remoteDescription == callee.remoteDescription)
                refused += 1
            }
        }
        #expect(answered > 200 && refused > 200)
        print("mutated re-offers: \(answered) answered, \(refused) refused")
    }

    /// Mutated answers to our offer: no trap; an error leaves the offer pending.
    @Test func mutatedAnswers() throws {
        var caller = Samples.caller(1)
        let offer = try caller.createOffer()
        try caller.applyLocal(offer, .offer)
        let answer = Array(try Samples.caller(2).createAnswer(to: offer).text().utf8)
        var random = RandomSource(seed: 2027)
        var (applied, refused) = (0, 0)
        for _ in 0..<3000 {
            let text = Self.mutate(answer, &random)
            var copy = caller
            do {
                try copy.applyRemote(SessionDescription(parsing: text), .answer)
                applied += 1
                #expect(copy.state == .stable)
                _ = try copy.createOffer().text()
            } catch {
                refused += 1
                #expect(copy.state == .haveLocalOffer && copy.transceivers == caller.transceivers)
            }
        }
        #expect(applied > 300 && refused > 300)
        print("mutated answers: \(applied) applied, \(refused) refused")
    }

    /// Long sessions of random actions by two sides stay in step.
    @Test func randomSessions() throws {
        for seed in 0..<40 {
            var random = RandomSource(seed: UInt64(seed))
            var sides = [Samples.caller(1), Samples.caller(2)]
            var nextSource: UInt32 = 10_000
            for _ in 0..<25 {
                let who = Int.random(in: 0...1, using: &random)
                for _ in 0..<Int.random(in: 0...2, using: &random) {
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0 where sides[who].transceivers.count < 8:
                        nextSource += 2
                        try sides[who].addTransceiver(
                            Bool.random(using: &random) ? .audio : .video, direction: .sendrecv,
                            track: Samples.track(nextSource, rtx: nextSource + 1))
                    case 1:
                        if let id = sides[who].transceivers.filter({ !$0.isStopped }).randomElement(using: &random)?.id
                        {
                            try sides[who].stop(id)
                        }
                    case 2:
                        if let id = sides[who].transceivers.filter({ !$0.isStopped }).randomElement(using: &random)?.id
                        {
                            try sides[who].setDirection(MediaDirection.allCases.randomElement(using: &random)!, of: id)
                        }
                    default:
                        let fresh = try sides[who].transport.restarted(using: &random)
                        sides[who].transport = fresh
                    }
                }
                let offer = try sides[who].createOffer()
                try sides[who].applyLocal(offer, .offer)
                if Int.random(in: 0..<5, using: &random) == 0 {
                    try sides[who].rollback()
                    continue
                }
                try sides[1 - who].applyRemote(offer.text(), .offer)
                if sides[1 - who].remoteOfferRestartsICE {
                    sides[1 - who].transport = try sides[1 - who].transport.restarted(using: &random)
                }
                let answer = try sides[1 - who].createAnswer()
                try sides[1 - who].applyLocal(answer, .answer)
                #expect(faults(of: answer, to: offer) == [])
                try sides[who].applyRemote(answer.text(), .answer)
                let (one, two) = (try #require(sides[who].session), try #require(sides[1 - who].session))
                #expect(one.sections.map(\.isRejected) == two.sections.map(\.isRejected))
                for (left, right) in zip(one.sections, two.sections) where !left.isRejected {
                    #expect(left.sends == right.receives && left.receives == right.sends && left.mid == right.mid)
                    #expect(left.sendCodecs.map(\.payloadType) == right.receiveCodecs.map(\.payloadType))
                    #expect(left.extensions.map(\.id) == right.extensions.map(\.id))
                }
                if let left = one.transport, let right = two.transport {
                    #expect(left.role != right.role && left.remoteUfrag == right.localUfrag)
                    #expect(left.remotePassword == right.localPassword && right.remoteUfrag == left.localUfrag)
                }
            }
        }
    }
}
