//! The threads jobs run in. One that is done takes the next job: a new thread costs a short job more than its messages do.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

type Work = Box<dyn FnOnce() + Send>;

/// As many threads as there was ever work at once; dropping it waits until all work is done.
pub(crate) struct Workers {
    /// `None` once it is finished.
    sender: Option<Sender<Work>>,
    receiver: Arc<Mutex<Receiver<Work>>>,
    /// Pieces of work that were given and are not done.
    open: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            sender: Some(sender),
            receiver: Arc::new(Mutex::new(receiver)),
            open: Arc::default(),
            threads: Vec::new(),
        }
    }

    /// Has work done at once, in a thread that is free or a new one.
    ///
    /// # Errors
    /// No thread could be started.
    pub(crate) fn give(&mut self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        if self.open.load(Ordering::SeqCst) >= self.threads.len() {
            self.threads.push(self.start()?);
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        let sent = self
            .sender
            .as_ref()
            .map(|sender| sender.send(Box::new(work)));
        sent.and_then(Result::ok)
            .ok_or_else(|| io::Error::other("no thread takes jobs any more"))
    }

    /// Waits until all work is done; there can be no more.
    pub(crate) fn finish(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            // It panics nowhere but in what is caught.
            let _ = thread.join();
        }
    }

    fn start(&self) -> io::Result<JoinHandle<()>> {
        let (receiver, open) = (Arc::clone(&self.receiver), Arc::clone(&self.open));
        let thread = std::thread::Builder::new().name("job".to_owned());
        thread.spawn(move || serve(&receiver, &open))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.finish();
    }
}

fn serve(receiver: &Mutex<Receiver<Work>>, open: &AtomicUsize) {
    loop {
        // Held while waiting: the others wait for it instead of for work, which comes to the same.
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(work) = next else {
            return;
        };
        // A panic in a job's thread was reported as that job's failure, or there is nothing to report it to.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(work));
        open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn work_that_was_given_runs_at_once_however_much_there_is() {
        let mut workers = Workers::new();
        // Each waits for all others, so none may wait for a free thread.
        let together = Arc::new(Barrier::new(8));
        for _ in 0..8 {
            let together = Arc::clone(&together);
            let wait = move || {
                together.wait();
            };
            workers.give(wait).expect("a thread");
        }
        drop(workers);
    }

    #[test]
    fn a_panic_takes_no_work_with_it() {
        let mut workers = Workers::new();
        let done = Arc::new(AtomicUsize::new(0));
        for at in 0..20 {
            let done = Arc::clone(&done);
            let work = move || {
                assert!(at % 5 > 0, "one of five panics");
                done.fetch_add(1, Ordering::SeqCst);
            };
            workers.give(work).expect("a thread");
        }
        drop(workers);
        assert_eq!(done.load(Ordering::SeqCst), 16);
    }
}
