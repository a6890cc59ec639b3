// swift-tools-version: 6.2
import PackageDescription

// What Petrel costs and how fast a call is, measured: a package of its own, so that users of Petrel never build it.
let package = Package(
    name: "petrel-benchmarks",
    platforms: [.macOS(.v26)],
    products: [.executable(name: "petrel-bench", targets: ["PetrelBench"])],
    dependencies: [.package(name: "petrel", path: "..")],
    targets: [
        .executableTarget(
            name: "PetrelBench",
            dependencies: [.product(name: "PetrelRooms", package: "petrel")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
