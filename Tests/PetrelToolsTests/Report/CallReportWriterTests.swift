import Foundation
import PetrelCodecs
import PetrelDevices
import Testing

@testable import PetrelTools

@Suite(.serialized) struct CallReportWriterTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    @Test func reportOfACallWithAFreeze() throws {
        let place = try TestFolder()
        let folder = try ReportFolder(path: place.file("report"))
        let call = try SyntheticCall(folder: folder, width: 320, height: 240, seconds: 5)
        let report = try call.write()
        let (lossy, clean) = (report.directions[0].video, report.directions[1].video)
        #expect(lossy.framesNeverShown == 33 && clean.framesNeverShown == 0)  // 30, and 49, 99, 149
        #expect(lossy.freezes == 1 && clean.freezes == 0)
        let (cleanDB, lossyDB) = (try #require(clean.psnrY), try #require(lossy.psnrY))
        let (cleanSSIM, lossySSIM) = (try #require(clean.ssim), try #require(lossy.ssim))
        #expect(cleanDB > 30 && lossyDB < cleanDB - 1, "a freeze costs: \(lossyDB) dB against \(cleanDB)")
        #expect(cleanSSIM > 0.9 && lossySSIM < cleanSSIM)
        try folder.commit()
        for name in ["report.json", "timeline.json", "callee/seen.webm", "callee/seen.ivf"] {
            #expect(FileManager.default.fileExists(atPath: place.file("report/" + name)), "\(name)")
        }
        let pictures = try FileManager.default.contentsOfDirectory(atPath: place.file("report/pictures"))
        #expect(pictures.count == 8)
        let timeline = try #require(FileManager.default.contents(atPath: place.file("report/timeline.json")))
        let object = try #require(try JSONSerialization.jsonObject(with: timeline) as? [String: Any])
        let way = try #require((object["directions"] as? [[String: Any]])?.first)
        let loss = try #require(way["lossPercent"] as? [[Double]])
        #expect(loss.count >= 4 && loss.allSatisfy { abs($0[1] - 5) < 0.5 })
        #expect((way["freezes"] as? [[Double]])?.count == 1)
        // Nothing is left beside the report.
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["report"])
    }

    @Test func frozenFramesCountAsThePictureStillSeen() throws {
        var (sender, receiver) = (PeerLog(), PeerLog())
        for counter in 0..<40 {
            let capture = Double(counter) * 40
            sender.append(.videoSent(counter: counter, captureMs: capture, width: 64, height: 48))
            // 10 to 19 are never shown; 30 comes a second late and all after it in time.
            if (10..<20).contains(counter) { continue }
            receiver.append(
                .videoRendered(
                    stamp: counter, renderMs: capture + (counter == 30 ? 1000 : 50), width: 64, height: 48,
                    recorded: counter))
        }
        let way = DirectionAnalysis(name: "", sender: sender, receiver: receiver)
        let pairs = PictureScores.pairs(way, everyNth: 5)
        #expect(pairs.map(\.sent) == [0, 5, 10, 15, 20, 25, 30, 35])
        #expect(pairs.map(\.seen) == [0, 5, 9, 9, 20, 25, 29, 35])
    }

    /// With PETREL_KEEP_REPORT=DIR the report is made of 20 s of film at 720p and left there to look at.
    @Test func pictureOfTheReport() throws {
        let environment = ProcessInfo.processInfo.environment
        guard FileManager.default.isExecutableFile(atPath: Self.root + "/.venv/bin/python") else {
            print("skipped: the picture of the report, because Scripts/setup.sh media has not made .venv")
            #expect(environment["CI"] != "true", "In CI nothing is skipped")
            return
        }
        let place = try TestFolder()
        let kept = environment["PETREL_KEEP_REPORT"]
        let folder = try ReportFolder(path: kept ?? place.file("report"))
        let media = DefaultMedia(directory: Self.root + "/.assets")
        let call =
            try kept == nil
            ? SyntheticCall(folder: folder, width: 320, height: 240, seconds: 3)
            : SyntheticCall(folder: folder, width: 1280, height: 720, seconds: 20, input: media.video)
        _ = try call.write()
        let complaint = CallReportWriter(folder: folder).draw(root: Self.root)
        #expect(complaint == nil)
        try folder.commit()
        let picture = try #require(FileManager.default.contents(atPath: folder.path + "/report.png"))
        #expect(picture.prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]) && picture.count > 20_000)
        // The width in the head of a PNG.
        #expect(picture[16..<20].reduce(0) { $0 << 8 | Int($1) } == 1600)
    }
}

@Suite struct ReportFolderTests {
    @Test func appearsWholeOrNotAtAll() throws {
        let place = try TestFolder()
        var folder: ReportFolder? = try ReportFolder(path: place.file("a"))
        try folder?.write("{}", to: "report.json")
        #expect(!FileManager.default.fileExists(atPath: place.file("a")))
        folder = nil
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
        let second = try ReportFolder(path: place.file("a"))
        try second.write("{}", to: "report.json")
        try second.commit()
        #expect(FileManager.default.fileExists(atPath: place.file("a/report.json")))
    }

    @Test func replacesAnEarlierReportAndNothingElse() throws {
        let place = try TestFolder()
        for text in ["1", "2"] {
            let folder = try ReportFolder(path: place.file("a"))
            try folder.write(text, to: "report.json")
            try folder.commit()
        }
        #expect(try String(contentsOfFile: place.file("a/report.json"), encoding: .utf8) == "2")
        try FileManager.default.createDirectory(atPath: place.file("mine"), withIntermediateDirectories: false)
        try Data("x".utf8).write(to: URL(fileURLWithPath: place.file("mine/letter")))
        #expect(throws: ToolError.self) { try ReportFolder(path: place.file("mine")) }
        #expect(throws: ToolError.self) { try ReportFolder(path: place.file("mine/letter")) }
        #expect(FileManager.default.fileExists(atPath: place.file("mine/letter")))
    }

    @Test func unwritablePlacesAreOneSentence() {
        do {
            _ = try ReportFolder(path: "/proc/petrel-report")
            Issue.record("a report in /proc")
        } catch {
            #expect(error.message.hasPrefix("The report folder /proc/petrel-report cannot be written: "))
        }
        #expect(throws: ToolError.self) { try ReportFolder(path: "/nowhere/at/all") }
    }
}
