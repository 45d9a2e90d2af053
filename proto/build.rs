//! Makes Rust of the interfaces in this folder, with `protoc`.

use std::io;

fn main() -> io::Result<()> {
    let interface = "proto/weir/configuration/v2/configuration.proto";
    println!("cargo::rerun-if-changed={interface}");
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        // A piece of a configuration is passed on, not copied.
        .bytes(".weir.configuration.v2.Piece.bytes")
        .bytes(".weir.configuration.v2.Digest.sha256")
        .compile_protos(&[interface], &["proto"])
}
