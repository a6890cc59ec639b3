public import Foundation
public import PetrelDevices
internal import Synchronization

/// Writes received VP8 frames and Opus packets into a WebM file (RFC 9559) with the times at which they were shown and
/// played, not encoded again: what the other side of a call saw and heard, for every player.
///
/// Frames and packets may come from different threads and somewhat out of order; they are put in order over
/// ``reorderMs``. Where nothing arrived there is a hole, as there was for the listener. The file is playable at every
/// moment; ``close()`` adds its length.
public final class WebMWriter: Sendable {
    /// How far apart in time the two tracks may be handed in: longer waits hold more memory, shorter ones put late
    /// frames behind those of a cluster already written.
    static let reorderMs = 1000
    /// A cluster is closed after this long; the format allows 32 s around its time (16 bits of milliseconds).
    static let clusterMs = 1000

    private enum ID {
        static let head: UInt32 = 0x1A45_DFA3
        static let segment: UInt32 = 0x1853_8067
        static let info: UInt32 = 0x1549_A966
        static let tracks: UInt32 = 0x1654_AE6B
        static let trackEntry: UInt32 = 0xAE
        static let cluster: UInt32 = 0x1F43_B675
        static let clusterTimestamp: UInt32 = 0xE7
        static let simpleBlock: UInt32 = 0xA3
        static let duration: UInt32 = 0x4489
    }

    private enum Track: UInt8 {
        case video = 1
        case audio = 2
    }

    private struct Block {
        var track: Track
        var milliseconds: Int
        var isKeyFrame: Bool
        var isShown: Bool
        var bytes: [UInt8]
        /// The order of arrival, which decides between equal times.
        var order: Int
    }

    private struct State {
        var handle: FileHandle?
        var pending: [Block] = []
        var newest = Int.min
        var arrivals = 0
        var lastVideo = -1
        var lastAudio = -1
        var end = 0
        var durationOffset = 0
        var segmentOffset = 0
        var failure: ToolError?
    }

    private let state: Mutex<State>
    private let path: String
    private let isStream: Bool

    /// - Parameters:
    ///   - width: of the first picture; later pictures may have other sizes, as VP8 key frames say.
    ///   - channels: of the Opus stream, nil for a file without sound.
    public convenience init(
        path: String, width: Int, height: Int, audioChannels channels: Int? = 1
    ) throws(ToolError) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ToolError("The file \(path) cannot be written") }
        try self.init(handle, name: path, video: (width, height), audioChannels: channels, isStream: false)
    }

    /// Writes to a file that is open for writing, from where it stands.
    /// - Parameters:
    ///   - name: what a person would call it.
    ///   - video: the size of the first picture, nil for a file without pictures.
    ///   - channels: of the Opus stream, nil for a file without sound.
    ///   - isStream: nothing can be changed once it is written: the file will not say how long it is.
    public init(
        _ handle: FileHandle, name: String, video: (width: Int, height: Int)?, audioChannels channels: Int?,
        isStream: Bool
    ) throws(ToolError) {
        path = name
        self.isStream = isStream
        var state = State(handle: handle)
        var head = Self.fileHead()
        state.segmentOffset = head.count + EBML.id(ID.segment).count
        head += EBML.id(ID.segment) + EBML.unknownSize
        let info = Self.info()
        // The duration is the last child: an eight-byte number at the end.
        state.durationOffset = head.count + info.count - 8
        head += info + Self.tracks(video: video, channels: channels)
        Self.put(head, &state, path)
        if let failure = state.failure { throw failure }
        self.state = Mutex(state)
    }

    deinit { close() }

    /// Appends a VP8 frame that was shown `milliseconds` after the start of the file; one that was decoded and never
    /// shown stays in the file, because later frames build on it.
    public func writeVideo(
        _ frame: UnsafeRawBufferPointer, milliseconds: Double, isKeyFrame: Bool, isShown: Bool = true
    ) {
        append(.video, frame, milliseconds, isKeyFrame: isKeyFrame, isShown: isShown)
    }

    /// Appends an Opus packet whose first sample was played `milliseconds` after the start of the file.
    public func writeAudio(_ packet: UnsafeRawBufferPointer, milliseconds: Double) {
        append(.audio, packet, milliseconds, isKeyFrame: true, isShown: true)
    }

    /// Why nothing more could be written, if so; what was written before stays playable.
    public var error: ToolError? { state.withLock(\.failure) }

    /// Writes what is waiting, and the length of the file into its head.
    public func close() {
        state.withLock { state in
            Self.flush(&state, upTo: .max, path)
            guard let handle = state.handle else { return }
            if state.failure == nil, !isStream, let size = try? handle.seekToEnd() {
                let length = Double(state.end)
                let bits = length.bitPattern
                try? handle.seek(toOffset: UInt64(state.durationOffset))
                try? handle.write(contentsOf: (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * (7 - $0))) })
                try? handle.seek(toOffset: UInt64(state.segmentOffset))
                let inside = Int(clamping: size) - state.segmentOffset - EBML.unknownSize.count
                try? handle.write(contentsOf: EBML.sized(inside, length: EBML.unknownSize.count))
            }
            try? handle.close()
            state.handle = nil
        }
    }

    private func append(
        _ track: Track, _ bytes: UnsafeRawBufferPointer, _ milliseconds: Double, isKeyFrame: Bool, isShown: Bool
    ) {
        guard milliseconds.isFinite, milliseconds.magnitude < 1e12, !bytes.isEmpty else { return }
        state.withLock { state in
            guard state.handle != nil, state.failure == nil else { return }
            // Frames of one track keep their order whatever their times: each VP8 frame builds on the one before.
            let last = track == .video ? state.lastVideo : state.lastAudio
            let time = max(last + 1, Int(milliseconds.rounded()))
            if track == .video { state.lastVideo = time } else { state.lastAudio = time }
            state.arrivals += 1
            state.pending.append(
                Block(
                    track: track, milliseconds: time, isKeyFrame: isKeyFrame, isShown: isShown, bytes: Array(bytes),
                    order: state.arrivals))
            state.newest = max(state.newest, time)
            let due = state.newest - Self.reorderMs
            // A cluster's worth at a time.
            if let oldest = state.pending.lazy.map(\.milliseconds).min(), oldest + Self.clusterMs <= due {
                Self.flush(&state, upTo: due, path)
            }
        }
    }

    private static func flush(_ state: inout State, upTo limit: Int, _ path: String) {
        var due: [Block] = []
        var waiting: [Block] = []
        for block in state.pending {
            if block.milliseconds <= limit { due.append(block) } else { waiting.append(block) }
        }
        state.pending = waiting
        due.sort { ($0.milliseconds, $0.order) < ($1.milliseconds, $1.order) }
        var first = 0
        while first < due.count {
            let start = due[first].milliseconds
            var next = first
            while next < due.count, due[next].milliseconds - start < clusterMs { next += 1 }
            put(cluster(due[first..<next], at: start), &state, path)
            state.end = max(state.end, due[next - 1].milliseconds + 20)
            first = next
        }
    }

    private static func cluster(_ blocks: ArraySlice<Block>, at start: Int) -> [UInt8] {
        var payload = EBML.element(ID.clusterTimestamp, start)
        payload.reserveCapacity(blocks.reduce(64) { $0 + $1.bytes.count + 16 })
        for block in blocks {
            let offset = block.milliseconds - start
            // Flags: 0x80 key frame, 0x08 invisible; no lacing.
            let flags: UInt8 = (block.isKeyFrame ? 0x80 : 0) | (block.isShown ? 0 : 0x08)
            payload += EBML.id(ID.simpleBlock) + EBML.size(block.bytes.count + 4)
            payload += [
                0x80 | block.track.rawValue, UInt8(truncatingIfNeeded: offset >> 8), UInt8(truncatingIfNeeded: offset),
                flags,
            ]
            payload += block.bytes
        }
        return EBML.element(ID.cluster, payload)
    }

    private static func put(_ bytes: [UInt8], _ state: inout State, _ path: String) {
        guard state.failure == nil, let handle = state.handle else { return }
        do {
            try handle.write(contentsOf: bytes)
        } catch { state.failure = ToolError("The file \(path) cannot be written: \(readable(error))") }
    }

    private static func fileHead() -> [UInt8] {
        EBML.element(
            ID.head,
            [
                EBML.element(0x4286, 1), EBML.element(0x42F7, 1), EBML.element(0x42F2, 4), EBML.element(0x42F3, 8),
                EBML.element(0x4282, "webm"), EBML.element(0x4287, 4), EBML.element(0x4285, 2),
            ])
    }

    private static func info() -> [UInt8] {
        EBML.element(
            ID.info,
            [
                EBML.element(0x2AD7B1, 1_000_000),  // TimestampScale: ticks of a millisecond
                EBML.element(0x4D80, "petrel"), EBML.element(0x5741, "petrel"),
                EBML.element(ID.duration, 0.0),
            ])
    }

    private static func tracks(video: (width: Int, height: Int)?, channels: Int?) -> [UInt8] {
        var entries: [[UInt8]] = []
        if let video {
            entries.append(
                EBML.element(
                    ID.trackEntry,
                    [
                        EBML.element(0xD7, Int(Track.video.rawValue)), EBML.element(0x73C5, 1), EBML.element(0x83, 1),
                        EBML.element(0x9C, 0), EBML.element(0x86, "V_VP8"),
                        EBML.element(0xE0, [EBML.element(0xB0, video.width), EBML.element(0xBA, video.height)]),
                    ]))
        }
        if let channels {
            // OpusHead (RFC 7845 section 5.1). No pre-skip: the stream begins in the middle of a call.
            let opusHead: [UInt8] =
                Array("OpusHead".utf8) + [1, UInt8(truncatingIfNeeded: channels), 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0]
            entries.append(
                EBML.element(
                    ID.trackEntry,
                    [
                        EBML.element(0xD7, Int(Track.audio.rawValue)), EBML.element(0x73C5, 2), EBML.element(0x83, 2),
                        EBML.element(0x9C, 0), EBML.element(0x86, "A_OPUS"), EBML.element(0x63A2, opusHead),
                        EBML.element(0x56BB, 80_000_000),  // SeekPreRoll: 80 ms, what Opus asks for
                        EBML.element(0xE1, [EBML.element(0xB5, 48_000.0), EBML.element(0x9F, channels)]),
                    ]))
        }
        return EBML.element(ID.tracks, entries)
    }
}
