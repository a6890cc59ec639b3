// swift-tools-version: 6.2
import PackageDescription

// The fuzz targets under libFuzzer: Scripts/fuzz.sh builds and runs them. A package of its own, because its program
// needs unsafe flags, which a package that others depend on must not have. The sources in Sources/FuzzTargets are
// compiled by the root package too, for the replay in `swift test`; here they see its rooms through a product.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "petrel-fuzz",
    platforms: [.macOS(.v26)],
    products: [.executable(name: "petrel-fuzz", targets: ["PetrelFuzz"])],
    // Named, because the folder of a checkout may have any name.
    dependencies: [.package(name: "petrel", path: "../..")],
    targets: [
        .target(
            name: "FuzzTargetsInstrumented",
            dependencies: [
                .product(name: "PetrelRooms", package: "petrel"), .product(name: "PetrelLab", package: "petrel"),
            ],
            path: "Sources/FuzzTargets", swiftSettings: strict),
        .executableTarget(
            name: "PetrelFuzz", dependencies: ["FuzzTargetsInstrumented"], path: "Sources/petrel-fuzz",
            // libFuzzer brings the main function.
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-use-ld=lld"], .when(platforms: [.linux]))]),
    ],
    swiftLanguageModes: [.v6]
)
