#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// How much a picture looks like another.
public enum PictureQuality {
    /// The peak signal-to-noise ratio of luma that stands for no difference at all, in dB.
    public static let identical = 100.0

    /// The peak signal-to-noise ratio of luma in dB, `10 log10(255^2 / mean squared difference)`, at most
    /// ``identical``; nil for pictures of different sizes.
    public static func psnrY(_ first: I420Buffer, _ second: I420Buffer) -> Double? {
        guard first.width == second.width, first.height == second.height else { return nil }
        let left = first.plane(0)
        let right = second.plane(0)
        var total: Int64 = 0
        for row in 0..<left.height {
            total += squaredDifference(left.base + row * left.stride, right.base + row * right.stride, left.width)
        }
        guard total > 0 else { return identical }
        let mean = Double(total) / Double(left.width * left.height)
        return min(identical, 10 * log10(255 * 255 / mean))
    }

    /// The mean structural similarity of luma (Wang, Bovik, Sheikh, Simoncelli 2004) with K1 = 0.01, K2 = 0.03 and
    /// uniform windows of 8x8 pixels every 4 pixels; 1 for equal pictures, nil for pictures of different sizes or
    /// smaller than a window.
    public static func ssim(_ first: I420Buffer, _ second: I420Buffer) -> Double? {
        guard first.width == second.width, first.height == second.height, first.width >= 8, first.height >= 8 else {
            return nil
        }
        let left = first.plane(0)
        let right = second.plane(0)
        let columns = left.width / 4
        let rows = left.height / 4
        // Sums over blocks of 4x4; a window is four of them, and each block belongs to up to four windows.
        var above = [BlockSums](repeating: BlockSums(), count: columns)
        var below = above
        var total = 0.0
        for row in 0..<rows {
            swap(&above, &below)
            below.withUnsafeMutableBufferPointer { sums in
                for column in 0..<columns {
                    sums[column] = BlockSums(
                        left.base + row * 4 * left.stride + column * 4, left.stride,
                        right.base + row * 4 * right.stride + column * 4, right.stride)
                }
            }
            guard row > 0 else { continue }
            for column in 1..<columns {
                total += (above[column - 1] + above[column] + below[column - 1] + below[column]).similarity
            }
        }
        return total / Double((rows - 1) * (columns - 1))
    }

    private static func squaredDifference(
        _ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: Int
    ) -> Int64 {
        // At most 16,383 times 65,025: it fits into 32 bits.
        var sum: UInt32 = 0
        var index = 0
        while index < count {
            let difference = Int32(left[index]) &- Int32(right[index])
            sum &+= UInt32(truncatingIfNeeded: difference &* difference)
            index &+= 1
        }
        return Int64(sum)
    }
}

/// Sums over the pixels of a block in two pictures, and over their squares and products.
private struct BlockSums {
    var left: Int32 = 0
    var right: Int32 = 0
    var squares: Int32 = 0
    var products: Int32 = 0

    init() {}

    init(_ first: UnsafePointer<UInt8>, _ firstStride: Int, _ second: UnsafePointer<UInt8>, _ secondStride: Int) {
        var row = 0
        while row < 4 {
            var column = 0
            while column < 4 {
                let a = Int32(first[row &* firstStride &+ column])
                let b = Int32(second[row &* secondStride &+ column])
                left &+= a
                right &+= b
                squares &+= a &* a &+ b &* b
                products &+= a &* b
                column &+= 1
            }
            row &+= 1
        }
    }

    static func + (first: BlockSums, second: BlockSums) -> BlockSums {
        var sum = first
        sum.left &+= second.left
        sum.right &+= second.right
        sum.squares &+= second.squares
        sum.products &+= second.products
        return sum
    }

    /// The structural similarity of a window of 64 pixels.
    var similarity: Double {
        let count = 64.0
        let (c1, c2) = (0.01 * 255 * 0.01 * 255, 0.03 * 255 * 0.03 * 255)
        let (a, b) = (Double(left) / count, Double(right) / count)
        let variances = Double(squares) / count - a * a - b * b
        let covariance = Double(products) / count - a * b
        return (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2))
    }
}
