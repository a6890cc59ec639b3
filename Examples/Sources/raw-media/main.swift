// Raw media in, raw media out: pictures and samples that the program makes go through a call and into files.
//
//     swift run raw-media FOLDER [SECONDS]
//
// FOLDER/received.yuv: I420, 320x240; FOLDER/received.s16: PCM, 48 kHz, mono, 16 bit little-endian.
// Ends with exit code 0 if the pictures and the tone in the files are those that were sent.
import Foundation
import Petrel
import Synchronization

let (width, height) = (320, 240)

func fail(_ reason: String) -> Never {
    FileHandle.standardError.write(Data("raw-media: \(reason)\n".utf8))
    exit(1)
}

/// A picture with a bright bar that moves to the right on dark ground.
func makePicture(_ index: Int) -> I420Buffer {
    let picture = I420Buffer(width: width, height: height)
    let bar = index * 4 % (width - 32)
    for row in 0..<height {
        for column in 0..<width {
            picture.y[row * picture.strideY + column] = (bar..<(bar + 32)).contains(column) ? 200 : 50
        }
    }
    for row in 0..<(height / 2) {
        for column in 0..<(width / 2) {
            picture.u[row * picture.strideUV + column] = 128
            picture.v[row * picture.strideUV + column] = 128
        }
    }
    return picture
}

/// 20 ms of a tone of 440 Hz.
func makeSound(_ index: Int) -> [Int16] {
    (0..<960).map { Int16(8000 * sin(2 * Double.pi * 440 * Double(index * 960 + $0) / 48_000)) }
}

/// A file that grows; nothing of it is left where it cannot be written.
final class OutputFile: Sendable {
    private let handle: FileHandle
    private let written = Atomic(0)
    let path: String

    init(_ path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { fail("\(path) cannot be written") }
        (self.path, self.handle) = (path, handle)
    }

    func append(_ data: Data) {
        do { try handle.write(contentsOf: data) } catch { fail("\(path) cannot be written: \(error)") }
        written.add(data.count, ordering: .relaxed)
    }

    var count: Int { written.load(ordering: .relaxed) }
    func close() { try? handle.close() }
}

let arguments = CommandLine.arguments.dropFirst()
guard let folder = arguments.first else { fail("use: raw-media FOLDER [SECONDS]") }
let seconds = arguments.dropFirst().first.flatMap { Int($0) } ?? 5
do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
    fail("the folder \(folder) cannot be made: \(error.localizedDescription)")
}
let pictures = try OutputFile(folder + "/received.yuv")
let sound = try OutputFile(folder + "/received.s16")

var configuration = CallConfiguration()
configuration.addressProfile = .lab
let sender = try await Call(configuration)
let receiver = try await Call(configuration)

// Tracks without a source take what they are handed.
let video = try await sender.addVideo()
let audio = try await sender.addAudio()
try await receiver.receiveOnly(video: true, audio: true)

let watching = Task {
    for await event in receiver.events {
        switch event {
        case .videoTrack(let track):
            track.onFrame { frame in
                // Rows may be longer in memory than the picture is wide.
                let picture = frame.picture
                var data = Data(capacity: width * height * 3 / 2)
                for row in 0..<picture.height {
                    data.append(contentsOf: picture.y[(row * picture.strideY)...].prefix(picture.width))
                }
                for plane in [picture.u, picture.v] {
                    for row in 0..<(picture.height / 2) {
                        data.append(contentsOf: plane[(row * picture.strideUV)...].prefix(picture.width / 2))
                    }
                }
                pictures.append(data)
            }
        case .audioTrack(let track):
            track.onAudio { played in sound.append(played.samples.withUnsafeBytes { Data($0) }) }
        default: break
        }
    }
}

try await sender.accept(answer: try await receiver.answer(try await sender.createOffer()))
try await sender.connected()

// 30 pictures and 50 pieces of sound a second, on time: this is the camera and the microphone.
let clock = ContinuousClock()
let start = clock.now
async let filming: Void = {
    for index in 0..<(seconds * 30) {
        try await clock.sleep(until: start + .seconds(1) * index / 30)
        video.send(makePicture(index))
    }
}()
async let talking: Void = {
    for index in 0..<(seconds * 50) {
        try await clock.sleep(until: start + .milliseconds(20) * index)
        audio.send(makeSound(index))
    }
}()
_ = try await (filming, talking)
try await Task.sleep(for: .milliseconds(300))
await sender.close()
await receiver.close()
await watching.value
pictures.close()
sound.close()

// Is it what was sent? The last picture has a bright bar on dark ground; the sound crosses zero 880 times a second.
let size = width * height * 3 / 2
let frames = pictures.count / size
let yuv = try Data(contentsOf: URL(fileURLWithPath: pictures.path))
guard frames > seconds * 15, yuv.count == frames * size else { fail("only \(frames) pictures arrived") }
let luma = yuv.suffix(size).prefix(width * height)
let bright = luma.count { $0 > 150 }
guard (width * height / 20)...(width * height / 5) ~= bright else { fail("the bar is not in the picture") }
let samples = try Data(contentsOf: URL(fileURLWithPath: sound.path)).withUnsafeBytes {
    Array($0.bindMemory(to: Int16.self))
}
let middle = Array(samples.dropFirst(samples.count / 2).prefix(24_000))
let crossings = zip(middle, middle.dropFirst()).count { ($0 < 0) != ($1 < 0) }
let hertz = Double(crossings) * 24_000 / Double(max(1, middle.count))
guard middle.count == 24_000, (420...460).contains(hertz) else { fail("the tone is not in the sound: \(hertz) Hz") }
print("\(frames) pictures in \(pictures.path)")
print("\(samples.count / 480 * 10) ms of sound in \(sound.path), a tone of about \(Int(hertz)) Hz")
