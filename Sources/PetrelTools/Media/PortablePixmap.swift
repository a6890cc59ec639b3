internal import Foundation
public import PetrelCodecs
public import PetrelDevices

/// Pictures as PPM files, which every viewer and every script reads.
public enum PortablePixmap {
    /// The bytes of a binary PPM: RGB from I420 by BT.601, video range, as VP8 has it.
    public static func bytes(of picture: I420Buffer) -> [UInt8] {
        var out = Array("P6\n\(picture.width) \(picture.height)\n255\n".utf8)
        out.reserveCapacity(out.count + 3 * picture.width * picture.height)
        for row in 0..<picture.height {
            for column in 0..<picture.width {
                let luma = 298 * (Int(picture.y[row * picture.strideY + column]) - 16)
                let chroma = row / 2 * picture.strideUV + column / 2
                let blue = Int(picture.u[chroma]) - 128
                let red = Int(picture.v[chroma]) - 128
                out.append(clamp((luma + 409 * red + 128) >> 8))
                out.append(clamp((luma - 100 * blue - 208 * red + 128) >> 8))
                out.append(clamp((luma + 516 * blue + 128) >> 8))
            }
        }
        return out
    }

    public static func write(_ picture: I420Buffer, path: String) throws(ToolError) {
        do {
            try Data(bytes(of: picture)).write(to: URL(fileURLWithPath: path))
        } catch { throw ToolError("The file \(path) cannot be written: \(readable(error))") }
    }

    private static func clamp(_ value: Int) -> UInt8 { UInt8(clamping: value) }
}
