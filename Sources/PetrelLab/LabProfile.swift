/// A network that people know, with a name: both directions of it.
public struct LabProfile: Hashable, Sendable {
    /// The name on command lines.
    public let name: String
    /// What it stands for.
    public let summary: String
    /// From the first peer to the second.
    public let forward: LinkDescription
    /// From the second peer to the first.
    public let backward: LinkDescription

    public init(name: String, summary: String, forward: LinkDescription, backward: LinkDescription) {
        self.name = name
        self.summary = summary
        self.forward = forward
        self.backward = backward
    }

    /// All profiles, in the order of their badness. The figures are plain round ones: they name an order of
    /// magnitude, not a measurement.
    public static let all: [LabProfile] = table.compactMap { entry in
        guard let forward = try? LinkDescription(parsing: entry.forward),
            let backward = try? LinkDescription(parsing: entry.backward)
        else { return nil }
        return LabProfile(name: entry.name, summary: entry.summary, forward: forward, backward: backward)
    }

    /// The profile of this name.
    public static func named(_ name: String) -> LabProfile? { all.first { $0.name == name } }

    /// Both directions from what a person typed: the name of a profile, or the text of a ``LinkDescription`` for
    /// both.
    public static func link(
        _ text: String
    ) throws(LinkDescriptionError) -> (forward: LinkDescription, backward: LinkDescription) {
        if let profile = named(text) { return (profile.forward, profile.backward) }
        let link = try LinkDescription(parsing: text)
        return (link, link)
    }

    // The table is text, so that it reads like a command line; a test parses every line.
    static let table: [(name: String, summary: String, forward: String, backward: String)] = [
        ("perfect", "no delay, no loss, no limit", "", ""),
        ("clean", "a good line across a country", "delay=20", "delay=20"),
        ("lossy5", "random loss of 5 percent", "delay=20,loss=5", "delay=20,loss=5"),
        (
            "lte", "a phone in a town",
            "delay=35,jitter=8,loss=0.5,rate=8000,queue=300", "delay=35,jitter=8,loss=0.5,rate=20000,queue=300"
        ),
        (
            "wifi-bad", "a far corner of the house with neighbours",
            "delay=15,jitter=10,ge=8,burstms=30,rate=4000,queue=250",
            "delay=15,jitter=10,ge=8,burstms=30,rate=6000,queue=250"
        ),
        (
            "3g", "old mobile data with a deep queue",
            "delay=75,jitter=15,loss=1,rate=750,queue=1000", "delay=75,jitter=15,loss=1,rate=1600,queue=1000"
        ),
        (
            "satellite", "a geostationary satellite",
            "delay=280,jitter=5,loss=1,rate=2000,queue=500", "delay=280,jitter=5,loss=1,rate=10000,queue=500"
        ),
        (
            "train", "tunnels and cells that change",
            "delay=45,jitter=15,ge=5,burstms=80,rate=3000,queue=400,outage=10+1.5,outage=25+3;@15:rate=600;@22:rate=3000",
            "delay=45,jitter=15,ge=5,burstms=80,rate=6000,queue=400,outage=10+1.5,outage=25+3;@15:rate=900;@22:rate=6000"
        ),
        (
            "step", "capacity that falls to a quarter and comes back",
            "delay=30,rate=2500,queue=300;@10:rate=600;@25:rate=2500",
            "delay=30,rate=2500,queue=300;@10:rate=600;@25:rate=2500"
        ),
        ("hell30", "random loss of 30 percent", "delay=50,jitter=10,loss=30", "delay=50,jitter=10,loss=30"),
        (
            "hell30-burst", "loss of 30 percent in bursts of three",
            "delay=50,jitter=10,ge=30,burst=3", "delay=50,jitter=10,ge=30,burst=3"
        ),
        ("hell50", "random loss of 50 percent", "delay=100,jitter=20,loss=50", "delay=100,jitter=20,loss=50"),
    ]
}
