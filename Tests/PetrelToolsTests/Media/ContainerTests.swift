import Foundation
import PetrelCodecs
import PetrelCore
import PetrelDevices
import Testing

@testable import PetrelTools

/// Frames and packets that the codecs made, as a receiver would record them.
struct Recording {
    var frames: [(bytes: [UInt8], isKeyFrame: Bool)] = []
    var packets: [[UInt8]] = []

    /// `frames` pictures of the test card with their stamps, and `packets` packets of 20 ms.
    init(frames count: Int, packets packetCount: Int, width: Int = 320, height: Int = 240) throws {
        let encoder = VP8Encoder()
        var card = TestCard(width: width, height: height)
        for index in 0..<count {
            let picture = card.frame(index).copy()
            PictureStamp.write(counter: index, into: picture)
            frames.append(try Self.encode(encoder, picture, index))
        }
        let opus = try OpusEncoder(channels: 1)
        let signal = SpeechLikeSignal()
        for index in 0..<packetCount {
            var pcm = [Int16](repeating: 0, count: 960)
            pcm.withUnsafeMutableBufferPointer { signal.fill($0, channels: 1, from: Int64(index * 960)) }
            packets.append(try Self.encode(opus, pcm))
        }
    }
}

extension Recording {
    private static func encode(_ encoder: VP8Encoder, _ picture: I420Buffer, _ index: Int) throws -> ([UInt8], Bool) {
        let buffer = FrameBuffer()

        let result = try #require(try encoder.encode(picture, timestamp90k: Int64(index) * 3000, into: buffer))
        return (Array(buffer.bytes), result.isKeyFrame)
    }

    private static func encode(_ encoder: OpusEncoder, _ pcm: [Int16]) throws -> [UInt8] {
        let buffer = FrameBuffer()
        _ = try pcm.withUnsafeBufferPointer { try encoder.encode($0, into: buffer) }
        return Array(buffer.bytes)
    }
}

@Suite struct EBMLTests {
    @Test func numbersAsTheStandardWritesThem() {
        // RFC 8794 section 4.3 and 6.1: a marker bit says how many bytes follow; all ones are kept for "unknown".
        #expect(EBML.size(0) == [0x80])
        #expect(EBML.size(126) == [0xFE])
        #expect(EBML.size(127) == [0x40, 0x7F])
        #expect(EBML.size(16_382) == [0x7F, 0xFE])
        #expect(EBML.size(16_383) == [0x20, 0x3F, 0xFF])
        #expect(EBML.sized(5, length: 8) == [0x01, 0, 0, 0, 0, 0, 0, 5])
        #expect(EBML.id(0x1A45_DFA3) == [0x1A, 0x45, 0xDF, 0xA3])
        #expect(EBML.element(0xD7, 1) == [0xD7, 0x81, 0x01])
        #expect(EBML.element(0xE7, 0x1234) == [0xE7, 0x82, 0x12, 0x34])
        #expect(EBML.element(0x4489, 1.0) == [0x44, 0x89, 0x88, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0])
    }
}

@Suite(.enabled(if: FFmpeg.isThere), .serialized) struct ContainerTests {
    @Test func ivfComesBackAndFFmpegReadsIt() throws {
        let folder = try TestFolder()
        let recording = try Recording(frames: 20, packets: 0)
        let path = folder.file("a.ivf")
        let writer = try IVFWriter(path: path, width: 320, height: 240)
        for (index, frame) in recording.frames.enumerated() {
            let position = try frame.bytes.withUnsafeBytes { try writer.write($0, milliseconds: index * 33) }
            #expect(position == index)
        }
        writer.close()
        let read = Array(try IVFReader(path: path))
        #expect(read.map(\.bytes) == recording.frames.map(\.bytes))
        #expect(read[7].milliseconds == 231)
        let decoded = try run("ffmpeg", ["-nostdin", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-"])
        #expect(decoded.code == 0 && decoded.errors == "", "\(decoded.errors)")
    }

    @Test func ivfCutShortGivesWhatIsWhole() throws {
        let folder = try TestFolder()
        let path = folder.file("a.ivf")
        let writer = try IVFWriter(path: path, width: 16, height: 16)
        for byte in 0..<3 as Range<UInt8> {
            _ = try [byte, byte, byte].withUnsafeBytes { try writer.write($0, milliseconds: Int(byte)) }
        }
        let whole = try #require(FileManager.default.contents(atPath: path))
        for length in 0..<whole.count {
            try whole.prefix(length).write(to: URL(fileURLWithPath: folder.file("b.ivf")))
            if length < 32 {
                #expect(throws: ToolError.self) { try IVFReader(path: folder.file("b.ivf")) }
            } else {
                #expect(Array(try IVFReader(path: folder.file("b.ivf"))).count == (length - 32) / 15)
            }
        }
    }

    @Test(arguments: [false, true]) func webMPlaysWithItsTimes(closed: Bool) throws {
        let folder = try TestFolder()
        let recording = try Recording(frames: 90, packets: 150)
        let path = folder.file("seen.webm")
        let writer = try WebMWriter(path: path, width: 320, height: 240)
        // Picture 40 to 49 come 500 ms late at once; packets 60 to 69 are missing; audio is handed in 200 ms later.
        var packet = 0
        func audio(until time: Int) {
            while packet < recording.packets.count, packet * 20 + 35 <= time {
                if !(60..<70).contains(packet) {
                    recording.packets[packet].withUnsafeBytes {
                        writer.writeAudio($0, milliseconds: Double(packet * 20 + 35))
                    }
                }
                packet += 1
            }
        }
        for (index, frame) in recording.frames.enumerated() {
            let shown = (40..<50).contains(index) ? 50 * 33 + index : index * 33
            frame.bytes.withUnsafeBytes {
                writer.writeVideo($0, milliseconds: Double(shown), isKeyFrame: frame.isKeyFrame, isShown: index != 20)
            }
            audio(until: index * 33 - 200)
        }
        audio(until: .max)
        if closed { writer.close() }
        #expect(writer.error == nil)
        guard closed else {
            // A writer that never closed: everything but the last second is there.
            let decoded = try run(
                "ffprobe",
                ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", path])
            #expect(decoded.code == 0)
            #expect(Int(decoded.output.split(separator: "\n").first ?? "").map { $0 > 20 } == true)
            return
        }
        let decoded = try run("ffmpeg", ["-nostdin", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-"])
        #expect(decoded.code == 0 && decoded.errors == "", "\(decoded.errors)")
        let streams = try run(
            "ffprobe",
            [
                "-v", "error", "-count_packets", "-show_entries",
                "stream=codec_name,width,height,channels,sample_rate,nb_read_packets:format=duration", "-of", "json",
                path,
            ])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(streams.output.utf8)) as? [String: Any])
        let list = try #require(object["streams"] as? [[String: Any]])
        #expect(list.map { $0["codec_name"] as? String } == ["vp8", "opus"])
        #expect(list[0]["width"] as? Int == 320 && list[0]["nb_read_packets"] as? String == "90")
        #expect(list[1]["channels"] as? Int == 1 && list[1]["nb_read_packets"] as? String == "140")
        let duration = (object["format"] as? [String: Any])?["duration"] as? String
        #expect(duration.flatMap(Double.init).map { abs($0 - 3.04) < 0.05 } == true, "\(duration ?? "none")")
        let times = try run(
            "ffprobe",
            ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path])
        let values = times.output.split(separator: "\n").compactMap { Double($0.filter { $0 != "," }) }
        #expect(values.count == 90 && values[39] == 1.287 && values[40] == 1.69 && values[60] == 1.98)
        let audioTimes = try run(
            "ffprobe",
            ["-v", "error", "-select_streams", "a", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path])
        let audioValues = audioTimes.output.split(separator: "\n").compactMap { Double($0.filter { $0 != "," }) }
        #expect(audioValues.count == 140 && audioValues[59] == 1.215 && audioValues[60] == 1.435)
    }

    @Test func unwritablePlacesAreErrors() {
        #expect(throws: ToolError.self) { try WebMWriter(path: "/nowhere/x.webm", width: 16, height: 16) }
        #expect(throws: ToolError.self) { try IVFWriter(path: "/nowhere/x.ivf", width: 16, height: 16) }
        #expect(throws: ToolError.self) { try EventLogWriter(path: "/nowhere/x.log") }
    }
}
