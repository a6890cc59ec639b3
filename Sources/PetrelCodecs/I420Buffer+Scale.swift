extension I420Buffer {
    /// The picture in another size: means of the pixels covered where a side shrinks, straight lines between
    /// neighbours where it grows. The proportions are not kept and nothing is cut off.
    public func scaled(width: Int, height: Int) -> I420Buffer {
        let result = I420Buffer(width: width, height: height)
        scale(into: result)
        return result
    }

    /// Fills `target`, of any size, with this picture.
    public func scale(into target: I420Buffer) {
        if target.width == width && target.height == height { return target.update(from: self) }
        for index in 0..<3 { plane(index).scale(into: target.plane(index)) }
    }
}

extension Plane {
    /// First each row of the source that is needed becomes one of the target's width, then rows are mixed.
    fileprivate func scale(into target: Plane) {
        let columns = Taps(from: width, to: target.width)
        let rows = Taps(from: height, to: target.height)
        var line = [Int32](repeating: 0, count: target.width)
        var sum = [Int32](repeating: 0, count: target.width)
        line.withUnsafeMutableBufferPointer { line in
            sum.withUnsafeMutableBufferPointer { sum in
                for row in 0..<target.height {
                    sum.update(repeating: 0)
                    let tap = rows.taps[row]
                    for source in tap.first...tap.last {
                        horizontal(base + source * stride, columns, line)
                        let weight = tap.weight(of: source)
                        var column = 0
                        while column < target.width {
                            sum[column] &+= line[column] &* weight
                            column &+= 1
                        }
                    }
                    let out = target.base + row * target.stride
                    var column = 0
                    while column < target.width {
                        // Both weights sum to 256; lines are kept with 16 levels between two of luma.
                        out[column] = UInt8(truncatingIfNeeded: min(255, (sum[column] &+ 2048) >> 12))
                        column &+= 1
                    }
                }
            }
        }
    }

    private func horizontal(
        _ row: UnsafeMutablePointer<UInt8>, _ columns: Taps, _ line: UnsafeMutableBufferPointer<Int32>
    ) {
        columns.taps.withUnsafeBufferPointer { taps in
            var column = 0
            while column < line.count {
                let tap = taps[column]
                var sum = Int32(row[tap.first]) &* tap.firstWeight
                var source = tap.first &+ 1
                while source < tap.last {
                    sum &+= Int32(row[source]) &* tap.middleWeight
                    source &+= 1
                }
                if tap.last > tap.first { sum &+= Int32(row[tap.last]) &* tap.lastWeight }
                line[column] = sum >> 4
                column &+= 1
            }
        }
    }
}

/// Which pixels of a line of one length make up each pixel of another, with weights that sum to 256.
private struct Taps {
    struct Tap {
        var first: Int
        var last: Int
        var firstWeight: Int32
        var middleWeight: Int32
        var lastWeight: Int32

        func weight(of source: Int) -> Int32 {
            source == first ? firstWeight : source == last ? lastWeight : middleWeight
        }
    }

    var taps: [Tap] = []

    init(from source: Int, to target: Int) {
        taps.reserveCapacity(target)
        for index in 0..<target {
            taps.append(source > target ? Self.mean(index, source, target) : Self.between(index, source, target))
        }
    }

    /// The pixels covered by one pixel of a shorter line, the outermost in part.
    private static func mean(_ index: Int, _ source: Int, _ target: Int) -> Tap {
        let first = index * source / target
        let last = ((index + 1) * source - 1) / target
        // Each pixel of the source covers `target` units of the line, each of the target `source` units.
        let middle = Int32(256 * target / source)
        let inner = Int32(last - first - 1)
        let head = Int32(256 * ((first + 1) * target - index * source) / source)
        let tail = 256 - head - max(0, inner) * middle
        if last == first { return Tap(first: first, last: last, firstWeight: 256, middleWeight: 0, lastWeight: 0) }
        return Tap(first: first, last: last, firstWeight: head, middleWeight: middle, lastWeight: tail)
    }

    /// The two neighbours of a pixel's centre on a longer line.
    private static func between(_ index: Int, _ source: Int, _ target: Int) -> Tap {
        // The centre of the pixel in 256ths of a source pixel.
        let centre = max(0, ((2 * index + 1) * source * 128) / target - 128)
        let first = min(source - 1, centre >> 8)
        let last = min(source - 1, first + 1)
        let part = Int32(centre & 255)
        if first == last { return Tap(first: first, last: last, firstWeight: 256, middleWeight: 0, lastWeight: 0) }
        return Tap(first: first, last: last, firstWeight: 256 - part, middleWeight: 0, lastWeight: part)
    }
}
