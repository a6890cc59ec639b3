internal import PetrelCore

/// A built-in moving picture: colour bars, a grey ramp, a texture that scrolls, boxes that bounce, and a bar that
/// runs across once a second like the hand of a clock. The same size and index give the same picture on every machine.
///
/// The top fifteenth of the picture, where a ``PictureStamp`` goes, is black.
public struct TestCard: Sendable {
    /// Frames in which the running bar crosses the picture once.
    public static let framesPerLap = 30

    /// Size of the picture in pixels.
    public let width: Int
    public let height: Int
    private let base: I420Buffer
    /// A texture twice as wide as the picture, so that any part of it is a copy of consecutive bytes.
    private let texture: [UInt8]
    private var pool: I420BufferPool

    /// - Precondition: both sides lie in `1...I420Buffer.maximumSide`.
    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
        base = I420Buffer(width: width, height: height)
        pool = I420BufferPool(limit: 16)
        texture = Self.makeTexture(width: 2 * width, height: 32)
        drawBase()
    }

    /// Picture number `index`, in memory that is used again once nobody else refers to it.
    public mutating func frame(_ index: Int) -> I420Buffer {
        let picture = pool.take(width: width, height: height)
        picture.update(from: base)
        drawTexture(into: picture, index)
        drawBoxes(into: picture, index)
        drawClock(into: picture, index)
        return picture
    }

    /// The height of the part at the top that is left to the stamp.
    private var stampRows: Int { height / 15 }
    private var barRows: Range<Int> { stampRows..<(height / 2) }
    private var rampRows: Range<Int> { (height / 2)..<(height * 5 / 8) }
    private var textureRows: Range<Int> { (height * 5 / 8)..<(height * 7 / 8) }
    private var clockRows: Range<Int> { (height * 7 / 8)..<height }

    /// Bars of white, yellow, cyan, green, magenta, red, blue and black at 75 % (ITU-R BT.601 levels), and a ramp.
    private func drawBase() {
        let bars: [(UInt8, UInt8, UInt8)] = [
            (180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58), (84, 184, 198), (65, 100, 212),
            (35, 212, 114), (16, 128, 128),
        ]
        for (index, bar) in bars.enumerated() {
            let left = index * width / bars.count
            let right = (index + 1) * width / bars.count
            base.fill(
                x: left, y: barRows.lowerBound, width: right - left, height: barRows.count, luma: bar.0, blue: bar.1,
                red: bar.2)
        }
        base.fill(
            x: 0, y: rampRows.lowerBound, width: width, height: height - rampRows.lowerBound, luma: 60, blue: 128,
            red: 128)
        let luma = base.plane(0)
        for row in rampRows {
            for column in 0..<width {
                luma.base[row * luma.stride + column] = UInt8(truncatingIfNeeded: 16 + 219 * column / width)
            }
        }
    }

    private func drawTexture(into picture: I420Buffer, _ index: Int) {
        let luma = picture.plane(0)
        let shift = Self.modulo(index * 2, width)
        texture.withUnsafeBufferPointer { texture in
            guard let start = texture.baseAddress else { return }
            for row in textureRows {
                let line = start + (row & 31) * 2 * width + shift
                (luma.base + row * luma.stride).update(from: line, count: width)
            }
        }
    }

    /// Two boxes that bounce between the edges, each on its own way.
    private func drawBoxes(into picture: I420Buffer, _ index: Int) {
        let side = max(2, min(width, height) / 8)
        let top = barRows.lowerBound
        let room = max(1, rampRows.upperBound - top - side)
        let across = max(1, width - side)
        picture.fill(
            x: Self.bounce(index * 5, across), y: top + Self.bounce(index * 3, room), width: side, height: side,
            luma: 210, blue: 60, red: 180)
        picture.fill(
            x: Self.bounce(index * 3 + across / 2, across), y: top + Self.bounce(index * 4 + room / 3, room),
            width: side / 2, height: side, luma: 45, blue: 190, red: 90)
    }

    /// A bar that grows from the left to the right once a lap, and a lamp for each of eight laps.
    private func drawClock(into picture: I420Buffer, _ index: Int) {
        let step = Self.modulo(index, Self.framesPerLap)
        let lap = Self.modulo((index - step) / Self.framesPerLap, 8)
        picture.fill(
            x: 0, y: clockRows.lowerBound, width: width * (step + 1) / Self.framesPerLap, height: clockRows.count / 2,
            luma: 190, blue: 110, red: 140)
        picture.fill(
            x: lap * width / 8, y: clockRows.lowerBound + clockRows.count / 2, width: width / 8,
            height: clockRows.count - clockRows.count / 2, luma: 220, blue: 90, red: 120)
    }

    private static func modulo(_ value: Int, _ modulus: Int) -> Int {
        let rest = value % modulus
        return rest < 0 ? rest + modulus : rest
    }

    /// A position that goes from 0 to `room` and back.
    private static func bounce(_ way: Int, _ room: Int) -> Int {
        let place = modulo(way, 2 * room)
        return place <= room ? place : 2 * room - place
    }

    /// Noise of which each pixel is a mean of its neighbourhood, as soft as a photograph; it repeats after half its
    /// width and after its height.
    private static func makeTexture(width: Int, height: Int) -> [UInt8] {
        let half = width / 2
        var random = SeededGenerator(seed: 7)
        var noise = (0..<(half * height)).map { _ in random.unit() - 0.5 }
        soften(&noise, count: half, stride: 1, lines: height, lineStride: half)
        soften(&noise, count: height, stride: half, lines: half, lineStride: 1)
        let peak = noise.reduce(1e-9) { max($0, abs($1)) }
        var result = [UInt8](repeating: 0, count: width * height)
        for row in 0..<height {
            for column in 0..<half {
                let value = UInt8(max(16, min(235, 126 + 90 * noise[row * half + column] / peak)))
                result[row * width + column] = value
                result[row * width + half + column] = value
            }
        }
        return result
    }

    /// A first-order low-pass along each line, twice round so that its end meets its beginning.
    private static func soften(_ values: inout [Double], count: Int, stride: Int, lines: Int, lineStride: Int) {
        values.withUnsafeMutableBufferPointer { values in
            for line in 0..<lines {
                var level = 0.0
                for index in 0..<(2 * count) {
                    let place = line * lineStride + index % count * stride
                    level += 0.3 * (values[place] - level)
                    if index >= count { values[place] = level }
                }
            }
        }
    }
}
