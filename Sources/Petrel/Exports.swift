public import PetrelCodecs
public import PetrelCore

// What a program that sends or receives its own media touches: `import Petrel` is enough for it.

/// A picture in planar YUV 4:2:0, 8 bit.
public typealias I420Buffer = PetrelCodecs.I420Buffer
/// The bytes of one encoded picture or packet.
public typealias FrameBuffer = PetrelCore.FrameBuffer
