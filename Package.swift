// swift-tools-version: 6.2
import PackageDescription

// Every room lives in Sources/<room> and its tests in Tests/<room>Tests. An arrow points down only:
// docs/design.md draws the house, and HouseTests keep it that way.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func room(
    _ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = strict
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, swiftSettings: strict)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

// Building the documentation needs a plugin, which users of the package shall not fetch: Scripts/docs.sh asks for it.
let documentation: [Package.Dependency] =
    Context.environment["PETREL_DOCS"] == nil
    ? [] : [.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")]

// The HTTP server needs a framework with twenty packages behind it, which users of the library and of `petrel call` shall
// not fetch: `make serve` and `make test` ask for it (docs/design/0008-the-server-is-asked-for.md).
let wantsServer = Context.environment["PETREL_SERVER"] != nil

let serverPackages: [Package.Dependency] =
    wantsServer
    ? [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        // Parts of its signatures
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.34.1"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.2"),
    ] : []

let serverProducts: [Product] =
    wantsServer
    ? [
        .library(name: "PetrelServer", targets: ["PetrelServer"]),
        .executable(name: "petrel-server", targets: ["PetrelServerCLI"]),
    ] : []

let serverTargets: [Target] = [
    .target(
        name: "PetrelServer",
        dependencies: [
            "Petrel", "PetrelLab", "PetrelSDP", "PetrelCore", "PetrelCodecs", "PetrelIO", "PetrelDevices",
            "PetrelTools",
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "HummingbirdCore", package: "hummingbird"),
            .product(name: "HummingbirdTLS", package: "hummingbird"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "Logging", package: "swift-log"),
        ],
        // The page becomes part of the program.
        resources: [.embedInCode("Page/index.html")], swiftSettings: strict),
    .executableTarget(
        name: "PetrelServerCLI",
        dependencies: [
            "PetrelServer", "Petrel", "PetrelLab", "PetrelDevices", "PetrelTools",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Logging", package: "swift-log"),
        ],
        swiftSettings: strict),
    tests(
        "PetrelServer",
        [
            "PetrelServer", "Petrel", "PetrelLab", "PetrelSDP", "PetrelCodecs", "PetrelIO", "PetrelCore",
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "Logging", package: "swift-log"),
        ]),
]

let package = Package(
    name: "petrel",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Petrel", targets: ["Petrel"]),
        .library(name: "PetrelLab", targets: ["PetrelLab"]),
        .library(name: "PetrelSignaling", targets: ["PetrelSignaling"]),
        // All rooms that do no I/O: nothing of NIO is built for them.
        .library(
            name: "PetrelSansIO",
            targets: [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelCongestion",
                "PetrelMedia", "PetrelCodecs", "PetrelPlayout", "PetrelPeer", "PetrelScenario",
            ]),
        .library(
            name: "PetrelRooms",
            targets: [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelCongestion",
                "PetrelMedia", "PetrelCodecs", "PetrelPlayout", "PetrelPeer", "PetrelIO", "PetrelScenario",
            ]),
        .executable(name: "petrel", targets: ["PetrelCLI"]),
    ] + serverProducts,
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ] + documentation + serverPackages,
    targets: [
        // C leaves
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "CSRTP", pkgConfig: "libsrtp2", providers: [.apt(["libsrtp2-dev"]), .brew(["srtp"])]),
        .systemLibrary(
            name: "COpus", pkgConfig: "opus", providers: [.apt(["libopus-dev"]), .brew(["opus"])]),
        .systemLibrary(
            name: "CVPX", pkgConfig: "vpx", providers: [.apt(["libvpx-dev"]), .brew(["libvpx"])]),
        .target(name: "CPetrelSecurity", dependencies: ["COpenSSL", "CSRTP"]),
        .target(name: "CPetrelCodecs", dependencies: ["COpus", "CVPX"]),
        .target(name: "CPetrelMedia"),

        // L1 values
        room("PetrelCore"),
        room("PetrelWire", ["PetrelCore"]),
        room("PetrelSDP", ["PetrelCore"]),

        // L2 protocols
        room("PetrelSecurity", ["PetrelCore", "PetrelWire", "CPetrelSecurity", "COpenSSL", "CSRTP"]),
        room("PetrelICE", ["PetrelCore", "PetrelWire", "PetrelSDP", "PetrelSecurity"]),
        room("PetrelCongestion", ["PetrelCore", "PetrelWire"]),
        room("PetrelMedia", ["PetrelCore", "PetrelWire", "PetrelCongestion", "CPetrelMedia"]),
        room("PetrelCodecs", ["PetrelCore", "PetrelWire", "CPetrelCodecs", "COpus", "CVPX"]),

        // L3 engines
        room(
            "PetrelPeer",
            [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelMedia",
                "PetrelCongestion",
            ]),

        // L4 edges
        room("PetrelPlayout", ["PetrelCore", "PetrelCodecs"]),
        // Without MemberImportVisibility: beside NIO the compiler takes the fields of sockaddr_in for members of CNIOLinux.
        // Cameras, microphones and media files, through the ffmpeg program
        room("PetrelDevices", ["PetrelCodecs"]),
        room("PetrelIO", ["PetrelCore"] + nio, settings: Array(strict.dropLast())),

        // Lab: a network you can hold in your hand, and whole calls rehearsed on it in virtual time
        room("PetrelLab", ["PetrelCore"]),
        room(
            "PetrelScenario",
            [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelMedia",
                "PetrelCongestion",
                "PetrelPeer", "PetrelCodecs", "PetrelPlayout", "PetrelLab",
            ]),

        // L5 product
        room(
            "Petrel",
            [
                "PetrelCore", "PetrelWire", "PetrelPeer", "PetrelMedia", "PetrelCongestion", "PetrelCodecs",
                "PetrelPlayout", "PetrelIO", "PetrelDevices", "PetrelICE", "PetrelSDP", "PetrelSecurity",
                .product(name: "Logging", package: "swift-log"),
            ]),
        // WHIP and WHEP from the client's side
        room("PetrelSignaling", ["Petrel", "PetrelSDP", "PetrelIO"]),
        // What the petrel program needs beside the call: recordings, the report, the live table
        room("PetrelTools", ["Petrel", "PetrelCore", "PetrelCodecs", "PetrelDevices", "PetrelIO"]),
        .executableTarget(
            name: "PetrelCLI",
            dependencies: [
                "Petrel", "PetrelLab", "PetrelCore", "PetrelIO", "PetrelCodecs", "PetrelDevices",
                "PetrelTools", "PetrelSignaling",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),

        tests("PetrelCore", ["PetrelCore"]),
        tests("PetrelWire", ["PetrelWire", "PetrelCore"]),
        tests("PetrelSDP", ["PetrelSDP", "PetrelCore"]),
        tests("PetrelICE", ["PetrelICE", "PetrelWire", "PetrelSDP", "PetrelSecurity", "PetrelCore"]),
        tests("PetrelSecurity", ["PetrelSecurity", "PetrelWire", "PetrelCore"]),
        tests("PetrelCongestion", ["PetrelCongestion", "PetrelWire", "PetrelCore"]),
        tests("PetrelMedia", ["PetrelMedia", "PetrelCongestion", "PetrelWire", "PetrelCore"]),
        tests("PetrelCodecs", ["PetrelCodecs", "PetrelCore"]),
        tests("PetrelPlayout", ["PetrelPlayout", "PetrelCodecs", "PetrelCore"]),
        tests(
            "PetrelPeer",
            [
                "PetrelPeer", "PetrelScenario", "PetrelMedia", "PetrelCongestion", "PetrelICE", "PetrelSecurity",
                "PetrelSDP", "PetrelWire", "PetrelCore", "PetrelLab",
            ]),
        tests("PetrelLab", ["PetrelLab", "PetrelCore"]),
        tests(
            "Scenario",
            [
                "PetrelScenario", "PetrelPeer", "PetrelMedia", "PetrelCongestion", "PetrelICE", "PetrelSDP",
                "PetrelLab", "PetrelCodecs", "PetrelCore",
            ]),
        tests(
            "Petrel",
            ["Petrel", "PetrelCore", "PetrelCodecs", "PetrelIO", .product(name: "Logging", package: "swift-log")]),
        tests("PetrelSignaling", ["PetrelSignaling", "Petrel", "PetrelSDP", "PetrelCodecs", "PetrelCore", "PetrelIO"]),
        tests("PetrelTools", ["PetrelTools", "PetrelDevices", "PetrelCodecs", "PetrelCore"]),
        tests("PetrelDevices", ["PetrelDevices", "PetrelCodecs"]),
        // The fuzz targets as functions: a test target replays them here, and the package Tests/Fuzz builds the same
        // sources with libFuzzer, which needs unsafe flags that this package must not have. In no product.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelMedia", "PetrelCodecs",
                "PetrelPlayout", "PetrelPeer", "PetrelLab",
            ],
            path: "Tests/Fuzz/Sources/FuzzTargets"),
        tests("FuzzReplay", ["FuzzTargets", "PetrelCore"]),
        tests("House"),
    ] + (wantsServer ? serverTargets : []),
    swiftLanguageModes: [.v6]
)
