internal import COpus
internal import CVPX

/// The codec libraries this process has loaded.
public enum CodecLibraries {
    /// For example `libopus 1.3.1`.
    public static var opus: String { String(cString: opus_get_version_string()) }
    /// For example `libvpx v1.12.0`.
    public static var vpx: String { "libvpx " + String(cString: vpx_codec_version_str()) }
}
