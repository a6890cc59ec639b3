public import PetrelCore

/// A picture and the moment it was captured on the sender's clock.
public struct VideoFrame: Sendable {
    /// The picture, and when it was captured.
    public var buffer: I420Buffer
    public var captureTime: Instant

    public init(buffer: I420Buffer, captureTime: Instant) {
        self.buffer = buffer
        self.captureTime = captureTime
    }
}
