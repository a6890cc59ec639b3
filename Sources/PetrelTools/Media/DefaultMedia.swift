internal import Foundation
public import PetrelDevices

/// Film and speech as the set-up step leaves them, and what stands in for them.
public struct DefaultMedia: Equatable, Sendable {
    public var video: VideoInput
    public var audio: AudioInput
    /// What to tell the person where something else than film and recorded speech is sent.
    public var notes: [String]

    /// Looks in `directory`, by default the one named by PETREL_ASSETS or `.assets` here.
    public init(directory: String? = nil) {
        let folder = directory ?? ProcessInfo.processInfo.environment["PETREL_ASSETS"] ?? ".assets"
        let files = FileManager.default
        notes = []
        let clip = "\(folder)/bigbuckbunny.mp4"
        if files.isReadableFile(atPath: clip) {
            video = .file(clip)
        } else {
            video = .testCard
            notes.append("The film is not there (Scripts/setup.sh media fetches it): the built-in test card is sent.")
        }
        let speech = "\(folder)/speech.wav"
        if files.isReadableFile(atPath: speech) {
            audio = .file(speech)
            let source = (try? String(contentsOfFile: speech + ".source", encoding: .utf8)) ?? ""
            if source.hasPrefix("generated") {
                notes.append("Recorded speech could not be had: generated speech (espeak-ng) is sent.")
            }
        } else {
            audio = .speechLike
            notes.append("Speech is not there (Scripts/setup.sh media fetches it): a built-in sound is sent.")
        }
    }
}
