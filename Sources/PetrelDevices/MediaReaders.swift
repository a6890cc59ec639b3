public import PetrelCodecs

/// Where pictures come from, one after the other. One thread reads; all may close.
public protocol PictureReader: AnyObject, Sendable {
    /// What a person would call the source: a file name, `camera /dev/video0`, `test card`.
    var name: String { get }
    /// Pictures come at the pace of a camera, and waiting for the next one is what sets the pace.
    var isLive: Bool { get }
    /// The next picture, of the size asked for when the reader was made; nil when there are no more, or after
    /// ``close()``. The picture belongs to the caller until it drops it.
    func next() -> I420Buffer?
    /// CPU time of the reader's own process so far, in seconds; 0 for a reader without one.
    var childCPUSeconds: Double { get }
    func close()
}

/// Where 48 kHz sound comes from. One thread reads; all may close.
public protocol SoundReader: AnyObject, Sendable {
    var name: String { get }
    /// Sound comes at the pace of a microphone.
    var isLive: Bool { get }
    /// 1 or 2; samples of two channels lie interleaved.
    var channels: Int { get }
    /// Fills `samples`; answers how many were written, fewer only at the end.
    func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Int
    var childCPUSeconds: Double { get }
    func close()
}

extension PictureReader {
    public var childCPUSeconds: Double { 0 }
}

extension SoundReader {
    public var childCPUSeconds: Double { 0 }
}
