import PetrelCore
import PetrelLab

/// The text form of links: what was read prints as the same link, and every link carries datagrams.
func fuzzLinkDescription(_ input: UnsafeRawBufferPointer) {
    let text = text(input)
    if let trace = CapacityTrace(parsing: text) {
        let link = trace.applied(to: .perfect, length: .seconds(5))
        require(!link.description.isEmpty, "a trace makes a link")
    }
    let link: LinkDescription
    do {
        link = try LinkDescription(parsing: text)
    } catch {
        require(!error.description.isEmpty && error.column >= 0, "an error says where: \(error)")
        return
    }
    let printed = link.description
    guard let again = try? LinkDescription(parsing: printed) else { return require(false, "can be read: \(printed)") }
    require(again == link, "parse, print, parse: \(printed)")
    require(again.description == printed, "printing is stable")
    var carrier = Link(link, seed: 1)
    for index in 0..<64 {
        _ = carrier.send(size: index * 29, now: .zero + .milliseconds(index * index * 10))
    }
}
