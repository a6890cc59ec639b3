public import PetrelCodecs

/// Recorded pictures for the camera of a rehearsed call, held in memory.
///
/// The film is shown forwards, then backwards, and so on: no cut where it begins again, which would cost an encoder a
/// key frame that a camera never asks for.
public final class VirtualFilm: Sendable {
    /// Bytes that a film may hold: 20 s of 1280x720 at 30 a second; larger ones would swap on small machines.
    public static let maximumBytes = 1 << 30

    /// The pictures in their order, all of one size, and how many of them there are in a second.
    public let pictures: [I420Buffer]
    public let framesPerSecond: Double

    /// - Returns: nil for no pictures, pictures of different sizes, or a rate outside 1...120.
    public init?(pictures: [I420Buffer], framesPerSecond: Double) {
        guard let first = pictures.first, (1...120).contains(framesPerSecond),
            pictures.allSatisfy({ $0.width == first.width && $0.height == first.height })
        else { return nil }
        self.pictures = pictures
        self.framesPerSecond = framesPerSecond
    }

    /// Size of the pictures in pixels.
    public var width: Int { pictures[0].width }
    public var height: Int { pictures[0].height }

    /// Which picture is shown as number `index` of the call: 0 1 2 1 0 1 2 ... for three pictures.
    static func position(of index: Int, count: Int) -> Int {
        guard count > 1 else { return 0 }
        let period = 2 * (count - 1)
        let place = ((index % period) + period) % period
        return place < count ? place : period - place
    }

    /// The picture number `index` of the call, without a stamp; not to be written to.
    public func picture(_ index: Int) -> I420Buffer {
        pictures[Self.position(of: index, count: pictures.count)]
    }

    /// Reads a film of 8 bits in 4:2:0 (Y4M: a line of text, then for each picture a line and its planes).
    ///
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - rate: shown so fast, whatever the file says.
    ///   - size: scaled to this; nil leaves the pictures as they are.
    /// - Returns: nil where this is no such file, or holds no whole picture, or more than ``maximumBytes``.
    public convenience init?(
        y4m bytes: UnsafeRawBufferPointer, framesPerSecond rate: Double, size: (width: Int, height: Int)? = nil
    ) {
        guard let head = Self.line(bytes, from: 0), head.text.hasPrefix("YUV4MPEG2 ") else { return nil }
        var (width, height) = (0, 0)
        for word in head.text.split(separator: " ").dropFirst() {
            switch word.first {
            case "W": width = Int(word.dropFirst()) ?? 0
            case "H": height = Int(word.dropFirst()) ?? 0
            // 420, 420jpeg, 420mpeg2 and 420paldv differ in where chroma lies; 420p10 has more than 8 bits.
            case "C": guard word.hasPrefix("C420"), !word.hasPrefix("C420p1") else { return nil }
            default: break
            }
        }
        let sides = 1...I420Buffer.maximumSide
        guard sides.contains(width), sides.contains(height), size.map({ sides.contains($0.width) }) ?? true,
            size.map({ sides.contains($0.height) }) ?? true
        else { return nil }
        let length = I420Buffer.byteCount(width: width, height: height)
        let kept = size.map { I420Buffer.byteCount(width: $0.width, height: $0.height) } ?? length
        var pictures: [I420Buffer] = []
        var offset = head.next
        while let line = Self.line(bytes, from: offset), line.text.hasPrefix("FRAME"),
            bytes.count - line.next >= length
        {
            guard (pictures.count + 1) * kept <= Self.maximumBytes,
                let picture = I420Buffer(
                    width: width, height: height,
                    i420: UnsafeRawBufferPointer(rebasing: bytes[line.next..<(line.next + length)]))
            else { return nil }
            pictures.append(size.map { picture.scaled(width: $0.width, height: $0.height) } ?? picture)
            offset = line.next + length
        }
        self.init(pictures: pictures, framesPerSecond: rate)
    }

    /// The longest line of text in a file: longer ones are no Y4M.
    private static let longestLine = 1024

    private static func line(_ bytes: UnsafeRawBufferPointer, from start: Int) -> (text: String, next: Int)? {
        let end = min(bytes.count, start + longestLine)
        guard start < end, let stop = bytes[start..<end].firstIndex(of: 0x0A) else { return nil }
        return (String(decoding: bytes[start..<stop], as: UTF8.self), stop + 1)
    }
}

/// Recorded sound for the microphone of a rehearsed call: mono at 48 kHz, over and over.
public struct VirtualSpeech: Sendable {
    private let samples: [Int16]

    /// - Returns: nil for no sound.
    public init?(samples: [Int16]) {
        guard !samples.isEmpty else { return nil }
        self.samples = samples
    }

    /// Fills `block` with the sound from sample `position` on.
    func fill(_ block: UnsafeMutableBufferPointer<Int16>, from position: Int64) {
        var place = Int(position % Int64(samples.count))
        for index in block.indices {
            block[index] = samples[place]
            place = place + 1 < samples.count ? place + 1 : 0
        }
    }
}
