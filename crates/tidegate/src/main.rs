//! The tidegate binary; all of it is in the library.

use std::process::ExitCode;

/// Loading makes many small values; with the system's allocator a large configuration takes a fifth longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidegate::main()
}
