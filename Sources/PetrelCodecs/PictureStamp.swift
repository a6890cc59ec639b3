/// A frame's number written into its picture, to be found again after encoding, loss and scaling.
///
/// Along the top of the picture, a fifteenth of its height, lie 24 blocks of equal width: white, black, ten bits of
/// the number (most significant first, white is 1), the same ten bits inverted, black, white.
public enum PictureStamp {
    /// The bits of the number: it counts to 1,023 and begins again.
    public static let bits = 10
    /// The first number that is written as zero again.
    public static let modulus = 1 << bits
    static let blocks = 2 * bits + 4
    static let white: UInt8 = 235
    static let black: UInt8 = 16
    /// The least difference of luma between the darkest and the brightest block of a stamp: less is noise.
    static let leastContrast = 40

    /// Whether a picture is large enough for a stamp: two pixels for each block, and one row.
    public static func fits(width: Int, height: Int) -> Bool { width >= 2 * blocks && height >= 15 }

    /// Writes `counter`, modulo ``modulus``. A picture too small for a stamp stays as it is.
    public static func write(counter: Int, into picture: I420Buffer) {
        guard fits(width: picture.width, height: picture.height) else { return }
        let rows = picture.height / 15
        for block in 0..<blocks {
            let left = block * picture.width / blocks
            let right = (block + 1) * picture.width / blocks
            picture.fill(
                x: left, y: 0, width: right - left, height: rows, luma: isWhite(block, counter) ? white : black,
                blue: 128, red: 128)
        }
    }

    /// Reads the number.
    /// - Returns: nil where there is none to read: too little contrast, the ends not as they should be, or the bits
    ///   and their inverted copy at odds.
    public static func read(_ picture: I420Buffer) -> Int? {
        guard fits(width: picture.width, height: picture.height) else { return nil }
        var levels = InlineArray<24, Int>(repeating: 0)
        var darkest = 255
        var brightest = 0
        for block in 0..<blocks {
            let level = luma(of: block, in: picture)
            levels[block] = level
            darkest = min(darkest, level)
            brightest = max(brightest, level)
        }
        guard brightest - darkest >= leastContrast else { return nil }
        let threshold = (brightest + darkest) / 2
        var counter = 0
        for bit in 0..<bits where levels[2 + bit] > threshold { counter |= 1 << (bits - 1 - bit) }
        for block in 0..<blocks where (levels[block] > threshold) != isWhite(block, counter) { return nil }
        return counter
    }

    private static func isWhite(_ block: Int, _ counter: Int) -> Bool {
        switch block {
        case 0, blocks - 1: true
        case 1, blocks - 2: false
        case 2..<(2 + bits): counter >> (bits + 1 - block) & 1 == 1
        default: counter >> (2 * bits + 1 - block) & 1 == 0
        }
    }

    /// The mean luma of the middle of a block: half its width and half its height, at least one pixel.
    private static func luma(of block: Int, in picture: I420Buffer) -> Int {
        let left = block * picture.width / blocks
        let right = (block + 1) * picture.width / blocks
        let rows = picture.height / 15
        let columns = (left + (right - left) / 4)..<max(left + (right - left) / 4 + 1, right - (right - left) / 4)
        let lines = (rows / 4)..<max(rows / 4 + 1, rows - rows / 4)
        var sum = 0
        for row in lines { for column in columns { sum += Int(picture.y[row * picture.strideY + column]) } }
        return sum / (columns.count * lines.count)
    }
}
