internal import CPetrelCodecs
internal import CVPX
internal import PetrelWire

/// A decoded picture where the decoder keeps it, valid inside the call that hands it out.
public struct DecodedPicture {
    /// Size of the picture in pixels, and its planes.
    public let width: Int
    public let height: Int
    public let y: UnsafePointer<UInt8>
    public let u: UnsafePointer<UInt8>
    public let v: UnsafePointer<UInt8>
    /// Bytes from one row to the next.
    public let strideY: Int
    public let strideUV: Int
}

/// A VP8 decoder (RFC 6386) on libvpx with one thread of work. Use it from one thread at a time.
public final class VP8Decoder {
    /// The largest picture in pixels that is decoded by default. A decoder holds about five pictures of 1.5 bytes a
    /// pixel: at this limit 120 MB. If it grows, thirty bytes from a stranger can ask for more memory than there is.
    public static let defaultMaximumArea = 4096 * 4096

    /// The largest picture in pixels that is decoded.
    public let maximumArea: Int
    /// The decoder has nothing to build on, at the beginning and after every error: it takes key frames only.
    public private(set) var needsKeyFrame = true

    private let context: UnsafeMutablePointer<vpx_codec_ctx_t>
    private var isOpen = false
    private var picture: UnsafeMutablePointer<vpx_image_t>?

    /// - Throws: ``CodecError`` where libvpx refuses.
    public init(maximumArea: Int = VP8Decoder.defaultMaximumArea) throws(CodecError) {
        self.maximumArea = max(1, maximumArea)
        context = .allocate(capacity: 1)
        context.initialize(to: vpx_codec_ctx_t())
        let code = petrel_vp8_decoder_init(context)
        guard code == VPX_CODEC_OK else {
            throw CodecError(.createDecoder, .vpx(Int32(bitPattern: code.rawValue)))
        }
        isOpen = true
    }

    deinit {
        if isOpen { vpx_codec_destroy(context) }
        context.deallocate()
    }

    /// Decodes one whole frame.
    ///
    /// The size that a key frame claims is checked before libvpx sees it. After an error only a key frame helps:
    /// ``needsKeyFrame``.
    /// - Returns: Whether there is a picture to show (``withPicture(_:)``, ``copy(from:)``); a frame can be meant for
    ///   reference only.
    /// - Throws: ``CodecError``: nothing to show.
    public func decode(_ frame: UnsafeRawBufferPointer) throws(CodecError) -> Bool {
        picture = nil
        guard frame.count > 0 else { throw CodecError(.decode, .emptyPayload) }
        guard let header = try? VP8FrameHeader(parsing: frame.bytes) else { throw failure(.malformed) }
        if header.isKeyFrame {
            let (width, height) = (header.width, header.height)
            guard width * height <= maximumArea else {
                throw failure(.pictureSize(width: width, height: height))
            }
        } else if needsKeyFrame {
            throw CodecError(.decode, .keyFrameNeeded)
        }
        let code = vpx_codec_decode(
            context, frame.assumingMemoryBound(to: UInt8.self).baseAddress, UInt32(clamping: frame.count), nil, 0)
        guard code == VPX_CODEC_OK else { throw failure(.vpx(Int32(bitPattern: code.rawValue))) }
        // A frame whose data end early decodes to something; libvpx remembers that it made up the rest.
        var corrupted: Int32 = 0
        if petrel_vp8_get_corrupted(context, &corrupted) == VPX_CODEC_OK, corrupted != 0 {
            throw failure(.corruptedPicture)
        }
        needsKeyFrame = false
        var iterator: vpx_codec_iter_t?
        picture = vpx_codec_get_frame(context, &iterator)
        return picture != nil
    }

    /// What the last decoded frame was really predicted from and what it replaced; nil before the first one.
    public var lastReferences: VP8References? {
        var (used, refreshed): (Int32, Int32) = (0, 0)
        guard !needsKeyFrame, petrel_vp8_get_references(context, &used, &refreshed) == VPX_CODEC_OK else { return nil }
        return VP8References(
            uses: VP8Buffers(rawValue: UInt8(truncatingIfNeeded: used)),
            refreshes: VP8Buffers(rawValue: UInt8(truncatingIfNeeded: refreshed)))
    }

    /// Lets `body` read the picture of the last frame where the decoder keeps it.
    /// - Returns: nil where there is none.
    public func withPicture<Result>(_ body: (DecodedPicture) -> Result) -> Result? {
        guard let image = picture?.pointee, let y = image.planes.0, let u = image.planes.1, let v = image.planes.2
        else { return nil }
        return body(
            DecodedPicture(
                width: Int(image.d_w), height: Int(image.d_h), y: y, u: u, v: v, strideY: Int(image.stride.0),
                strideUV: Int(image.stride.1)))
    }

    /// Copies the picture of the last frame into one from `pool`.
    /// - Returns: nil where there is none.
    public func copy(from pool: inout I420BufferPool) -> I420Buffer? {
        withPicture { picture in
            let buffer = pool.take(width: picture.width, height: picture.height)
            buffer.plane(0).copy(from: picture.y, stride: picture.strideY)
            buffer.plane(1).copy(from: picture.u, stride: picture.strideUV)
            buffer.plane(2).copy(from: picture.v, stride: picture.strideUV)
            return buffer
        }
    }

    private func failure(_ reason: CodecError.Reason) -> CodecError {
        needsKeyFrame = true
        return CodecError(.decode, reason)
    }
}
