//! Waits for the disk beside the writer of a log.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Least time from one sync to the next: a disk that is asked for every short job has no time for anything else.
const PAUSE: Duration = Duration::from_millis(20);

/// A thread that makes a file durable when asked; dropping it waits for the sync that runs.
#[derive(Debug)]
pub(super) struct Syncer {
    ask: Option<SyncSender<()>>,
    failed: Arc<Mutex<Option<io::Error>>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (ask, asked) = sync_channel(1);
        let failed = Arc::new(Mutex::new(None));
        let told = Arc::clone(&failed);
        let thread = std::thread::Builder::new().name("log sync".to_owned());
        let thread = thread.spawn(move || serve(&file, &asked, &told))?;
        Ok(Self {
            ask: Some(ask),
            failed,
            thread: Some(thread),
        })
    }

    /// Has everything written so far made durable soon; several askers are served at once.
    ///
    /// # Errors
    /// Those of an earlier sync.
    pub(super) fn ask(&self) -> io::Result<()> {
        self.outcome()?;
        match self.ask.as_ref().map(|ask| ask.try_send(())) {
            // One that waits to be served stands for this one too.
            Some(Ok(()) | Err(TrySendError::Full(()))) => Ok(()),
            Some(Err(TrySendError::Disconnected(()))) | None => {
                Err(io::Error::other("the thread that syncs the log has ended"))
            }
        }
    }

    /// What an earlier sync could not do; the system tells that only once.
    pub(super) fn outcome(&self) -> io::Result<()> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take().map_or(Ok(()), Err)
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // What it could not do is told by the sync that closes the log.
            let _ = thread.join();
        }
    }
}

fn serve(file: &File, asked: &Receiver<()>, failed: &Mutex<Option<io::Error>>) {
    let mut again = false;
    while again || asked.recv().is_ok() {
        let until = Instant::now() + PAUSE;
        if let Err(error) = file.sync_data() {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        again = is_asked_before(asked, until);
    }
}

/// Waits until then, or until nobody can ask any more; returns whether somebody has.
fn is_asked_before(asked: &Receiver<()>, until: Instant) -> bool {
    let mut is_asked = false;
    loop {
        match asked.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(()) => is_asked = true,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return is_asked,
        }
    }
}
