//! Speaking to a run from outside its thread.

use std::sync::mpsc::SyncSender;

use crate::message::Message;

/// Speaks to a run; may be kept by a signal handler's thread.
#[derive(Clone)]
pub struct Control {
    pub(crate) sender: SyncSender<Message>,
}

/// How urgently a run shall end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Interrupt {
    /// Jobs are asked to end.
    Gently,
    /// Jobs are ended at once.
    AtOnce,
}

impl Control {
    /// Asks the run to end; does nothing once it is over.
    pub fn interrupt(&self, how: Interrupt) {
        // An error says that the run is over.
        let _ = self.sender.send(Message::Interrupt(how));
    }
}
