// swift-tools-version: 6.2
import PackageDescription

// What Petrel costs and how fast a call is, measured: a package of its own, so that users of Petrel never build it.
// The driver is measured by a program apart, because it alone needs NIO, which takes as long to build as all rooms.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "petrel-benchmarks",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "petrel-bench", targets: ["PetrelBench"]),
        .executable(name: "petrel-bench-driver", targets: ["PetrelBenchDriver"]),
    ],
    // Named, because the folder of a checkout may have any name.
    dependencies: [.package(name: "petrel", path: "..")],
    targets: [
        .target(
            name: "BenchSupport", dependencies: [.product(name: "PetrelSansIO", package: "petrel")],
            swiftSettings: strict),
        .executableTarget(
            name: "PetrelBench",
            dependencies: ["BenchSupport", .product(name: "PetrelSansIO", package: "petrel")],
            swiftSettings: strict),
        .executableTarget(
            name: "PetrelBenchDriver",
            dependencies: ["BenchSupport", .product(name: "PetrelRooms", package: "petrel")],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
