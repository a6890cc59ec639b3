import PetrelCore
import Testing

@testable import PetrelLab

@Suite struct LabProfileTests {
    @Test func everyLineOfTheTableIsRead() throws {
        #expect(LabProfile.all.map(\.name) == LabProfile.table.map(\.name))
        #expect(Set(LabProfile.all.map(\.name)).count == LabProfile.all.count)
        for (entry, profile) in zip(LabProfile.table, LabProfile.all) {
            #expect(try LinkDescription(parsing: entry.forward) == profile.forward)
            #expect(try LinkDescription(parsing: entry.backward) == profile.backward)
        }
    }

    @Test func namesAndTextsBothGiveLinks() throws {
        let named = try LabProfile.link("hell30")
        #expect(named.forward.conditions.loss == 30 && named.backward.conditions.loss == 30)
        let text = try LabProfile.link("loss=3")
        #expect(text.forward == text.backward && text.forward.conditions.loss == 3)
        #expect(LabProfile.named("nowhere") == nil)
        #expect(throws: LinkDescriptionError.self) { try LabProfile.link("nowhere") }
    }
}
