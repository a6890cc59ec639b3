import Foundation
import PetrelCore
import Testing

@testable import PetrelSDP

@Suite struct CorpusTests {
    enum Outcome { case refused(SDPError), answered(SessionDescription, accepted: Int) }

    /// Applies an offer and answers it; an answer must read back and hold nothing that the offer lacked.
    func run(_ offer: [UInt8], _ negotiator: inout Negotiator, _ label: String) -> Outcome {
        do {
            let parsed = try SessionDescription(parsing: offer)
            #expect(try SessionDescription(parsing: parsed.text()) == parsed, "stable: \(label)")
            try negotiator.applyRemote(parsed, .offer)
            let answer = try negotiator.createAnswer()
            try negotiator.applyLocal(answer, .answer)
            let again = try SessionDescription(parsing: answer.text())
            #expect(again == answer, "\(label)")
            #expect(faults(of: again, to: parsed) == [], "\(label)")
            return .answered(again, accepted: negotiator.session?.accepted.count ?? 0)
        } catch {
            return .refused(error)
        }
    }

    /// Offers of Chrome, Firefox, Safari and others: answered, or refused with a reason.
    @Test func realDescriptions() throws {
        var seen = 0
        let audioAndVideo = ["chromium120_audio_video", "firefox121_audio_video", "safari_mac_1v1a1d", "jsep.sdp"]
        for url in Vectors.files("sdp-real", suffix: ".sdp") {
            seen += 1
            let name = url.lastPathComponent
            var negotiator = Samples.caller(5)
            let outcome = run(Array(try Data(contentsOf: url)), &negotiator, name)
            if audioAndVideo.contains(where: { name.hasPrefix($0) }) {
                let session = try #require(negotiator.session, "\(outcome)")
                #expect(session.accepted.contains { $0.kind == .audio && $0.sends && $0.receives }, "\(name)")
                #expect(session.accepted.contains { $0.kind == .video && $0.sends }, "\(name)")
                let video = try #require(session.accepted.first { $0.kind == .video })
                #expect(video.sendCodecs.map(\.codec) == [.vp8] && video.sendCodecs[0].rtxPayloadType != nil)
                #expect(video.sendCodecs[0].feedback.isSuperset(of: [.nack, .pli, .fir]))
            }
            switch outcome {
            case .refused(let error): print("\(name): refused, \(error)")
            case .answered(let answer, let accepted): print("\(name): \(accepted) of \(answer.media.count) sections")
            }
        }
        print("sdp-real: \(seen) files")
    }

    @Test func chromeInParticular() throws {
        guard let url = Vectors.find("sdp-real/ex_webrtc/chromium120_audio_video.sdp") else { return }
        var negotiator = Samples.caller(5)
        _ = run(Array(try Data(contentsOf: url)), &negotiator, "chrome")
        let session = try #require(negotiator.session)
        #expect(session.transport?.remoteUfrag == "nWnq" && session.transport?.role == .client)
        #expect(session.allowsMixedExtensions)
        let (audio, video) = (session.sections[0], session.sections[1])
        #expect(audio.sendCodecs.map(\.payloadType) == [111] && audio.sendCodecs[0].feedback == [.transportCC])
        #expect(video.receiveCodecs.map(\.payloadType) == [96] && video.receiveCodecs[0].rtxPayloadType == 97)
        #expect(video.receiveCodecs[0].feedback == [.nack, .pli, .fir, .transportCC, .remb])
        #expect(
            video.remoteSources == [
                RemoteSource(ssrc: 1_862_494_604, rtxSSRC: 1_112_104_850, cname: "yFbnkIWTHwPXy6MO")
            ])
        #expect(audio.reducedSizeRTCP == false && video.reducedSizeRTCP == true)
        #expect(Set(session.extensions.map(\.id)) == [1, 2, 3, 4])
    }

    /// The seeds of libwebrtc's fuzzers: no trap, no time.
    @Test func fuzzSeeds() throws {
        var (seen, answered) = (0, 0)
        var slowest = Duration.zero
        for url in Vectors.files("libwebrtc-fuzz/sdp", suffix: ".sdp") {
            seen += 1
            let bytes = Array(try Data(contentsOf: url))
            var negotiator = Samples.caller(5)
            let time = ContinuousClock().measure {
                if case .answered = run(bytes, &negotiator, url.lastPathComponent) { answered += 1 }
            }
            slowest = max(slowest, time)
            #expect(time < .milliseconds(100), "\(url.lastPathComponent): \(time)")
        }
        print("libwebrtc-fuzz/sdp: \(seen) files, \(answered) answered, slowest \(slowest)")
    }

    struct Hostile: Decodable { var id, check, kind, `case`, expect: String; var text: String? }

    /// Hand-made hostile offers against what is to be expected of each.
    @Test func hostileOffers() throws {
        guard let url = Vectors.find("hostile-generated/hostile.jsonl") else { return }
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        let all = lines.compactMap { line -> Hostile? in
            guard line.contains("\"kind\": \"sdp-") || line.contains("\"kind\":\"sdp-") else { return nil }
            return try? JSONDecoder().decode(Hostile.self, from: Data(line.utf8))
        }
        let good = try #require(all.first { $0.case == "good" }?.text)
        var (seen, leftOut) = (0, 0)
        for entry in all {
            guard let text = entry.text else {
                print("left out: \(entry.id) \(entry.case) has no text")
                leftOut += 1
                continue
            }
            seen += 1
            var negotiator = Samples.caller(5)
            if entry.kind == "sdp-reoffer" {
                guard case .answered(_, accepted: 1) = run(Array(good.utf8), &negotiator, "good") else {
                    Issue.record("the good offer was refused")
                    continue
                }
            }
            let outcome = run(Array(text.utf8), &negotiator, entry.case)
            let expected = expectation(entry)
            switch (outcome, expected) {
            case (.refused, .accept): Issue.record("\(entry.case): \(outcome)")
            case (.answered(_, accepted: 1...), .refuse): Issue.record("\(entry.case): accepted")
            default: break
            }
            print("\(entry.id) \(entry.case): \(outcome.short), expected: \(entry.expect)")
        }
        #expect(seen == 32 && leftOut == 0, "\(seen) cases")
    }

    enum Expectation { case accept, refuse, either }

    /// "Reject" is an error, or a declined section (C57). Both where the text allows both.
    func expectation(_ entry: Hostile) -> Expectation {
        switch entry.expect {
        case "accept": .accept
        case "reject", "after offer \"good\": reject", "after offer \"good\": reject (no restart requested)": .refuse
        case let text where text.hasPrefix("accept;"): .accept
        case let text where text.hasPrefix("rtx formats dropped"): .accept
        case let text where text.hasPrefix("ignore lines"): .accept
        default: .either
        }
    }
}

extension CorpusTests.Outcome {
    var short: String {
        switch self {
        case .refused(let error): "refused (\(error.reason), line \(error.line.map { "\($0)" } ?? "-"))"
        case .answered(let answer, let accepted): "answered, \(accepted) of \(answer.media.count) sections"
        }
    }
}
