/// The house as docs/design.md draws it: the rooms, their floors, and who may import whom.
///
/// Package.swift is compared with this table, and every `import` in Sources with it too. A new room or a new arrow is
/// written here, in Package.swift and in docs/design.md.
enum House {
    struct Room {
        /// 0 C leaves, 1 values, 2 protocols, 3 engines, 4 edges, 5 product. The lab stands beside the house: 4.
        let level: Int
        /// The project's own modules it may import.
        let arrows: Set<String>
        /// Modules from elsewhere, besides the ones of ``Exception``s.
        var foreign: Set<String> = []
    }

    /// The C library of the system. Rooms that may use it anywhere list it; single files have exceptions.
    static let system: Set<String> = ["Glibc", "Musl", "Darwin"]
    private static let nio: Set<String> = ["NIOCore", "NIOPosix"]

    /// Targets that are no rooms: they live in Tests and may import every room.
    static let outside: Set<String> = ["FuzzTargets"]

    static let rooms: [String: Room] = [
        "COpenSSL": Room(level: 0, arrows: []),
        "CSRTP": Room(level: 0, arrows: []),
        "COpus": Room(level: 0, arrows: []),
        "CVPX": Room(level: 0, arrows: []),
        "CPetrelSecurity": Room(level: 0, arrows: ["COpenSSL", "CSRTP"]),
        "CPetrelCodecs": Room(level: 0, arrows: ["COpus", "CVPX"]),
        "CPetrelMedia": Room(level: 0, arrows: []),

        "PetrelCore": Room(level: 1, arrows: []),
        "PetrelWire": Room(level: 1, arrows: ["PetrelCore"]),
        "PetrelSDP": Room(level: 1, arrows: ["PetrelCore"]),

        "PetrelSecurity": Room(level: 2, arrows: ["PetrelCore", "PetrelWire", "CPetrelSecurity", "COpenSSL", "CSRTP"]),
        "PetrelICE": Room(level: 2, arrows: ["PetrelCore", "PetrelWire", "PetrelSDP", "PetrelSecurity"]),
        "PetrelCongestion": Room(level: 2, arrows: ["PetrelCore", "PetrelWire"]),
        "PetrelMedia": Room(level: 2, arrows: ["PetrelCore", "PetrelWire", "PetrelCongestion", "CPetrelMedia"]),
        "PetrelCodecs": Room(level: 2, arrows: ["PetrelCore", "PetrelWire", "CPetrelCodecs", "COpus", "CVPX"]),

        "PetrelPeer": Room(
            level: 3,
            arrows: [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelMedia",
                "PetrelCongestion",
            ]),

        "PetrelPlayout": Room(level: 4, arrows: ["PetrelCore", "PetrelCodecs"]),
        "PetrelIO": Room(level: 4, arrows: ["PetrelCore"], foreign: nio.union(system)),
        "PetrelLab": Room(level: 4, arrows: ["PetrelCore"], foreign: system),
        "PetrelScenario": Room(
            level: 4,
            arrows: [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelMedia",
                "PetrelCongestion",
                "PetrelPeer", "PetrelCodecs", "PetrelPlayout", "PetrelLab",
            ]),

        "Petrel": Room(
            level: 5,
            arrows: [
                "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelICE", "PetrelSecurity", "PetrelMedia",
                "PetrelCongestion",
                "PetrelPeer", "PetrelCodecs", "PetrelPlayout", "PetrelIO", "PetrelDevices",
            ],
            foreign: system.union(["Logging"])),
        "PetrelSignaling": Room(
            level: 5, arrows: ["Petrel", "PetrelSDP", "PetrelIO"],
            foreign: system.union(["Foundation", "FoundationNetworking", "Dispatch"])),
        "PetrelDevices": Room(
            level: 4, arrows: ["PetrelCodecs"],
            foreign: system.union(["Foundation", "Dispatch", "Synchronization"])),
        "PetrelTools": Room(
            level: 5, arrows: ["Petrel", "PetrelCore", "PetrelCodecs", "PetrelDevices", "PetrelIO"],
            foreign: system.union(["Foundation", "Dispatch", "Synchronization"])),
        "PetrelServer": Room(
            level: 5,
            arrows: [
                "Petrel", "PetrelLab", "PetrelSDP", "PetrelCore", "PetrelCodecs", "PetrelIO", "PetrelDevices",
                "PetrelTools",
            ],
            foreign: [
                "Hummingbird", "HummingbirdCore", "HummingbirdTLS", "HTTPTypes", "NIOHTTPTypes", "NIOSSL", "NIOCore",
                "Logging", "Foundation",
            ]),
        "PetrelServerCLI": Room(
            level: 5, arrows: ["PetrelServer", "Petrel", "PetrelLab", "PetrelDevices", "PetrelTools"],
            foreign: system.union(["ArgumentParser", "Logging", "Foundation"])),
        "PetrelCLI": Room(
            level: 5,
            arrows: [
                "Petrel", "PetrelLab", "PetrelCore", "PetrelCodecs", "PetrelIO", "PetrelDevices", "PetrelTools",
                "PetrelSignaling",
            ],
            foreign: system.union(["ArgumentParser", "Logging", "Foundation"])),
    ]

    /// Told, not asking: no clock, randomness, thread, lock or task of their own.
    static let told: Set<String> = [
        "PetrelCore", "PetrelWire", "PetrelSDP", "PetrelSecurity", "PetrelICE", "PetrelCongestion", "PetrelMedia",
        "PetrelCodecs", "PetrelPeer", "PetrelPlayout", "PetrelScenario",
    ]

    /// The rooms that bytes from the network reach.
    static let networked: Set<String> = told.union([
        "PetrelIO", "PetrelLab", "Petrel", "PetrelServer", "PetrelSignaling",
    ])
}
