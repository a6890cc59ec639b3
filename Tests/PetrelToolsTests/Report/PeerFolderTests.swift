import Foundation
import PetrelCodecs
import PetrelDevices
import PetrelTools
import Testing

@Suite struct PeerFolderTests {
    @Test func writesTheFilesOfTheContract() throws {
        let place = try TestFolder()
        let folder = try PeerFolder(path: place.file("out/a"))
        let wall = 1_795_000_000_000.25
        var card = TestCard(width: 320, height: 240)
        for counter in 0..<120 {
            let picture = card.frame(counter).copy()
            if counter != 5 { PictureStamp.write(counter: counter, into: picture) }
            folder.videoSent(counter: counter, width: 320, height: 240, wallMs: wall + Double(counter) * 40)
            folder.videoReceived(picture, wallMs: wall + Double(counter) * 40 + 60)
        }
        for packet in 0..<50 {
            let pcm = (0..<960).map { Int16(truncatingIfNeeded: packet * 960 + $0) }
            pcm.withUnsafeBufferPointer { folder.audioSent($0, wallMs: wall + Double(packet) * 20) }
            pcm.withUnsafeBufferPointer { folder.audioReceived($0, wallMs: wall + Double(packet) * 20 + 70) }
        }
        folder.reached(.iceConnected, wallMs: wall)
        folder.reached(.iceConnected, wallMs: wall + 9)
        folder.statistics([.object([("type", .string("inbound-rtp"))])], wallMs: wall)
        try folder.finish()

        func lines(_ name: String) throws -> [[String]] {
            try String(contentsOfFile: place.file("out/a/" + name), encoding: .utf8).split(separator: "\n")
                .map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        }
        let sent = try lines("sent_video.csv")
        #expect(sent.count == 120 && sent[1] == ["1795000000040.250", "1", "320", "240"])
        let received = try lines("recv_video.csv")
        #expect(received.count == 120 && received[7][1] == "7" && received[5][1] == "-1")
        let audio = try lines("recv_audio.csv")
        #expect(audio.count == 10 && audio[1] == ["4800", "1795000000170.250"])
        let pcm = try #require(FileManager.default.contents(atPath: place.file("out/a/sent_audio.s16")))
        #expect(pcm.count == 50 * 960 * 2 && pcm[2] == 1 && pcm[3] == 0 && pcm[512] == 0 && pcm[513] == 1)
        let names = try FileManager.default.contentsOfDirectory(atPath: place.file("out/a")).filter {
            $0.hasPrefix("shot_")
        }
        #expect(
            names.sorted() == [
                "shot_1795000000060_0_320x240.y", "shot_1795000002060_50_320x240.y", "shot_1795000004060_100_320x240.y",
            ])
        let shot = try #require(FileManager.default.contents(atPath: place.file("out/a/" + names[0])))
        #expect(shot.count == 320 * 240)
        let events = try #require(FileManager.default.contents(atPath: place.file("out/a/events.json")))
        let object = try #require(try JSONSerialization.jsonObject(with: events) as? [String: Any])
        #expect(object["ice_connected"] as? Double == wall && object["firstVideoPkt"] is NSNull)
        let statistics = try #require(FileManager.default.contents(atPath: place.file("out/a/stats.json")))
        let list = try #require(try JSONSerialization.jsonObject(with: statistics) as? [[String: Any]])
        #expect(list.count == 1 && (list[0]["r"] as? [[String: String]])?.first?["type"] == "inbound-rtp")
    }

    @Test func unwritablePlaceIsAnError() {
        #expect(throws: ToolError.self) { try PeerFolder(path: "/proc/petrel") }
    }
}
