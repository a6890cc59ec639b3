// swift-tools-version: 6.2
import PackageDescription

// What Petrel costs and how fast a call is, measured: a package of its own, so that users of Petrel never build it.
// Programs apart for what needs NIO, which takes as long to build as all rooms: the driver, and the calls over links that
// lose, which use the call report of `petrel call`.

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
        .executable(name: "petrel-bench-loss", targets: ["PetrelLossBench"]),
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
        .executableTarget(
            name: "PetrelLossBench",
            dependencies: ["BenchSupport", .product(name: "PetrelRooms", package: "petrel")],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
