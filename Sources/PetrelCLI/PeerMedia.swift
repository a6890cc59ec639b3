internal import Foundation
internal import Petrel
internal import PetrelCodecs
internal import PetrelDevices
internal import PetrelIO
internal import PetrelTools

/// Pictures of a reader as a source of the SDK, stamped with a running counter where they carry no stamp yet.
final class StampedSource: VideoSource {
    let framesPerSecond: Double
    private let reader: any PictureReader
    private let counter = Lock(0)

    init(_ reader: any PictureReader, framesPerSecond: Double) {
        self.reader = reader
        self.framesPerSecond = framesPerSecond
    }

    func nextPicture() -> I420Buffer? {
        guard let picture = reader.next() else { return nil }
        let index = counter.withLock { counter in
            defer { counter += 1 }
            return counter
        }
        // A clip that was made for measuring brings its own stamps.
        if PictureStamp.read(picture) == nil {
            PictureStamp.write(counter: index % PictureStamp.modulus, into: picture)
        }
        return picture
    }
}

/// Sound of a reader as a source of the SDK.
final class ReaderSound: AudioSource {
    var channels: Int { reader.channels }
    private let reader: any SoundReader
    private let onRead: @Sendable (UnsafeBufferPointer<Int16>) -> Void

    init(_ reader: any SoundReader, onRead: @escaping @Sendable (UnsafeBufferPointer<Int16>) -> Void) {
        self.reader = reader
        self.onRead = onRead
    }

    func read(into samples: UnsafeMutableBufferPointer<Int16>) -> Bool {
        let count = reader.read(into: samples)
        guard count > 0 else { return false }
        for index in count..<samples.count { samples[index] = 0 }
        onRead(UnsafeBufferPointer(samples))
        return true
    }
}

/// Milliseconds of the wall clock, with fractions.
func wallMilliseconds() -> Double { Double(MonotonicClock.unixNanoseconds) / 1e6 }

/// The counter of a stamp without its wrap: the number next to the last one with that remainder.
struct StampUnwrapper: Sendable {
    private var last: Int?

    mutating func unwrap(_ stamp: Int) -> Int {
        guard let last else {
            self.last = stamp
            return stamp
        }
        let ahead = (stamp - last % PictureStamp.modulus + PictureStamp.modulus) % PictureStamp.modulus
        self.last = last + ahead
        return last + ahead
    }
}
