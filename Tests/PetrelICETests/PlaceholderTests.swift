import Testing
@testable import PetrelICE
