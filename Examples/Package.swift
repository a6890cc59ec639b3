// swift-tools-version: 6.2
import PackageDescription

// Programs to read and to copy from. A package of its own, so that users of Petrel never build it.
let petrel: [Target.Dependency] = [.product(name: "Petrel", package: "petrel")]

let package = Package(
    name: "petrel-examples",
    platforms: [.macOS(.v26)],
    dependencies: [.package(name: "petrel", path: "..")],
    targets: [
        .executableTarget(name: "smallest-call", dependencies: petrel, exclude: ["README.md"]),
        .executableTarget(name: "two-machines", dependencies: petrel, exclude: ["README.md", "both-ends.sh"]),
        .executableTarget(name: "raw-media", dependencies: petrel, exclude: ["README.md"]),
    ],
    swiftLanguageModes: [.v6]
)
