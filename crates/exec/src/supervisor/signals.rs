//! Signals that tell a supervisor, or the zygote, to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Returns what becomes true with the first such signal, in forked processes too: each has its own.
pub(super) fn watch() -> io::Result<Arc<AtomicBool>> {
    let told_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::clone(&told_to_end))?;
    }
    Ok(told_to_end)
}
