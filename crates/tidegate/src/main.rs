//! The tidegate binary; all of it is in the library.

use std::process::ExitCode;

/// Loading makes many small values; with the system's allocator a large configuration takes a fifth longer.
/// It is told not to ask for huge pages (`no_thp`): with them every command takes several megabytes more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidegate::main()
}
