internal import PetrelCore
