//! `weir`: the arguments go to the command, its outcome becomes the exit code.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Requests are many small allocations; this allocator costs a fifth of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    weir::cli::main()
}
