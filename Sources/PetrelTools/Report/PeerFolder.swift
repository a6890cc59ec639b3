internal import Foundation
public import PetrelCodecs
public import PetrelDevices
internal import Synchronization

/// The files that a scriptable peer (`petrel peer --stdio`) writes: a contract with test rigs and other programs.
///
/// | file | content |
/// |---|---|
/// | sent_video.csv | wall, counter, width, height: a row per frame handed to the encoder |
/// | recv_video.csv | the same when a decoded frame is handed over for display; counter -1 where unreadable |
/// | shot_WALL_COUNTER_WIDTHxHEIGHT.y | every 2 s the luma of a received frame |
/// | sent_audio.s16, sent_audio.csv | mono 48 kHz PCM handed to the encoder; sampleIndex, wall every 100 ms |
/// | recv_audio.s16, recv_audio.csv | mono 48 kHz PCM at playout pace |
/// | events.json | wall times of the steps of the connection |
/// | stats.json | statistics once a second |
///
/// Wall times are milliseconds of the system clock with fractions; the files have no header lines. May be called from
/// every thread; what is written waits in memory for a few kilobytes at most.
public final class PeerFolder: Sendable {
    /// Between two shots of received luma.
    public static let shotMs = 2000.0
    /// Samples between two rows of the audio files: 100 ms.
    public static let audioRowSamples = 4800
    /// What is written to a file at once.
    static let blockBytes = 32_768

    private struct File {
        var handle: FileHandle?
        var pending: [UInt8] = []

        mutating func append(_ bytes: some Sequence<UInt8>) {
            pending.append(contentsOf: bytes)
            if pending.count >= PeerFolder.blockBytes { flush() }
        }

        mutating func flush() {
            if !pending.isEmpty { try? handle?.write(contentsOf: pending) }
            pending.removeAll(keepingCapacity: true)
        }
    }

    private struct Audio {
        var samples: File
        var rows: File
        var count = 0
        var nextRow = 0

        mutating func append(_ pcm: UnsafeBufferPointer<Int16>, wallMs: Double) {
            if count >= nextRow {
                rows.append("\(count),\(fixed(wallMs))\n".utf8)
                nextRow = count + PeerFolder.audioRowSamples
            }
            samples.append(UnsafeRawBufferPointer(pcm))
            count += pcm.count
        }
    }

    private struct State {
        var sentVideo: File
        var receivedVideo: File
        var sentAudio: Audio
        var receivedAudio: Audio
        var events: [(String, Double)] = []
        var statistics: [String] = []
        var nextShot = -Double.infinity
        var isOpen = true
    }

    private let state: Mutex<State>
    private let path: String

    /// Makes the folder and its files.
    public init(path: String) throws(ToolError) {
        self.path = path
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch { throw ToolError("The folder \(path) cannot be made: \(readable(error))") }
        func file(_ name: String) throws(ToolError) -> File {
            let place = "\(path)/\(name)"
            guard FileManager.default.createFile(atPath: place, contents: nil),
                let handle = FileHandle(forWritingAtPath: place)
            else { throw ToolError("The file \(place) cannot be written") }
            return File(handle: handle)
        }
        state = Mutex(
            State(
                sentVideo: try file("sent_video.csv"), receivedVideo: try file("recv_video.csv"),
                sentAudio: Audio(samples: try file("sent_audio.s16"), rows: try file("sent_audio.csv")),
                receivedAudio: Audio(samples: try file("recv_audio.s16"), rows: try file("recv_audio.csv"))))
    }

    public func videoSent(counter: Int, width: Int, height: Int, wallMs: Double) {
        state.withLock { $0.sentVideo.append("\(fixed(wallMs)),\(counter),\(width),\(height)\n".utf8) }
    }

    /// Notes a picture handed over for display, and keeps its luma every two seconds.
    public func videoReceived(_ picture: I420Buffer, wallMs: Double) {
        let counter = PictureStamp.read(picture) ?? -1
        let isShot = state.withLock { state -> Bool in
            state.receivedVideo.append("\(fixed(wallMs)),\(counter),\(picture.width),\(picture.height)\n".utf8)
            guard wallMs >= state.nextShot else { return false }
            state.nextShot = wallMs + Self.shotMs
            return true
        }
        guard isShot else { return }
        var luma: [UInt8] = []
        luma.reserveCapacity(picture.width * picture.height)
        for row in 0..<picture.height {
            luma.append(contentsOf: picture.y[(row * picture.strideY)..<(row * picture.strideY + picture.width)])
        }
        let name = "shot_\(fixed(wallMs, digits: 0))_\(counter)_\(picture.width)x\(picture.height).y"
        try? Data(luma).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    /// Notes mono sound handed to the encoder; `wallMs` is the time of its first sample.
    public func audioSent(_ pcm: UnsafeBufferPointer<Int16>, wallMs: Double) {
        state.withLock { $0.sentAudio.append(pcm, wallMs: wallMs) }
    }

    /// Notes mono sound played out; `wallMs` is the time of its first sample.
    public func audioReceived(_ pcm: UnsafeBufferPointer<Int16>, wallMs: Double) {
        state.withLock { $0.receivedAudio.append(pcm, wallMs: wallMs) }
    }

    /// The steps of the connection that events.json knows.
    public enum Step: String, CaseIterable, Sendable {
        case iceConnected = "ice_connected"
        case connected = "conn_connected"
        case firstAudioPacket = "firstAudioPkt"
        case firstVideoPacket = "firstVideoPkt"
    }

    /// Notes when a step was reached; only the first time counts.
    public func reached(_ step: Step, wallMs: Double) {
        state.withLock { state in
            if !state.events.contains(where: { $0.0 == step.rawValue }) { state.events.append((step.rawValue, wallMs)) }
        }
    }

    /// Adds the statistics of a moment: a list of W3C statistics dictionaries.
    public func statistics(_ dictionaries: [JSONText], wallMs: Double) {
        let text = JSONText.object([("t", .decimal(wallMs, digits: 3)), ("r", .array(dictionaries))]).text(
            pretty: false)
        state.withLock { $0.statistics.append(text) }
    }

    /// Writes everything that is waiting, and the two JSON files.
    public func finish() throws(ToolError) {
        let texts = state.withLock { state -> (String, String)? in
            guard state.isOpen else { return nil }
            state.isOpen = false
            state.sentVideo.flush()
            state.receivedVideo.flush()
            state.sentAudio.samples.flush()
            state.sentAudio.rows.flush()
            state.receivedAudio.samples.flush()
            state.receivedAudio.rows.flush()
            let events = JSONText.object(
                Step.allCases.map { step in
                    (step.rawValue, .optional(state.events.first { $0.0 == step.rawValue }?.1, digits: 3))
                })
            return (events.text(pretty: false), "[" + state.statistics.joined(separator: ",\n") + "]")
        }
        guard let texts else { return }
        do {
            try Data(texts.0.utf8).write(to: URL(fileURLWithPath: path + "/events.json"))
            try Data(texts.1.utf8).write(to: URL(fileURLWithPath: path + "/stats.json"))
        } catch { throw ToolError("The folder \(path) cannot be written: \(readable(error))") }
    }
}
