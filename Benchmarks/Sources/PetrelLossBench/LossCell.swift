import PetrelScenario

/// How datagrams are lost.
enum LossModel: String, CaseIterable, Sendable {
    /// Each by itself.
    case random
    /// In bursts of 3 or 8 datagrams of the link in the mean, whatever they carry (Gilbert-Elliott).
    case burst3
    case burst8

    func text(_ percent: Int) -> String {
        switch self {
        case .random: "loss=\(percent)"
        case .burst3: "ge=\(percent),burst=3"
        case .burst8: "ge=\(percent),burst=8"
        }
    }
}

/// One condition of the matrix, the same both ways.
struct LossCell: Hashable, Sendable {
    var loss: Int
    var model: LossModel
    var roundTrip: Int

    /// The link's description.
    func link(kilobits: Int, queue: Int) -> String {
        "delay=\(roundTrip / 2),\(model.text(loss)),rate=\(kilobits),queue=\(queue)"
    }

    var name: String { "loss=\(loss),model=\(model.rawValue),rtt=\(roundTrip)" }
}

/// What is to be run.
struct LossPlan: Sendable {
    var losses = [0, 5, 10, 20, 30, 40, 50, 60, 70]
    var models = LossModel.allCases
    var roundTrips = [40, 100, 200]
    var seconds = 120
    var seeds = 1...3
    /// The clip is made this high, and as wide as its shape wants.
    var height = 720
    var kilobits = 12_000
    var queue = 100
    /// The estimate that a call begins with, in kbit/s, and the most it may say; nil: as for any call.
    var start: Int?
    var most: Int?
    var judgesEveryNth = 10
    var jobs = 2
    /// Which program made the results: results of another one do not count as done.
    var revision = "unknown"
    var filmPath = ""
    var speechPath = ""
    var outputPath = ""
    /// A folder for one file per direction with a line per frame, and one with a line per datagram.
    var logFolder: String?

    /// Without loss there is nothing to be random or in bursts.
    var cells: [LossCell] {
        var cells: [LossCell] = []
        for roundTrip in roundTrips {
            for model in models {
                for loss in losses where loss > 0 || model == models[0] {
                    cells.append(LossCell(loss: loss, model: loss > 0 ? model : .random, roundTrip: roundTrip))
                }
            }
        }
        return cells
    }

    /// By this a result is found again.
    func key(_ cell: LossCell, seed: Int) -> String {
        "\(cell.name),seed=\(seed),seconds=\(seconds),height=\(height),rate=\(kilobits),queue=\(queue)"
            + ",start=\(start ?? 0),most=\(most ?? 0),revision=\(revision)"
    }
}
