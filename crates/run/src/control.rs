//! Speaking to a run from outside its thread.

use std::sync::mpsc::SyncSender;

use tidegate_exec::CancelReason;

use crate::message::Message;

/// Speaks to a run; may be kept by a signal handler's thread.
#[derive(Clone)]
pub struct Control {
    pub(crate) sender: SyncSender<Message>,
}

/// How urgently a run shall end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Interrupt {
    /// Jobs are canceled: their scripts are asked to end, `after_script` and what else belongs to their end still follows.
    Gently,
    /// Jobs are asked to end, and nothing follows.
    Soon,
    /// Jobs are ended at once.
    AtOnce,
}

impl Interrupt {
    /// What it is for a job that runs.
    pub(crate) fn reason(self) -> CancelReason {
        match self {
            Interrupt::Gently => CancelReason::Canceled,
            Interrupt::Soon => CancelReason::Interrupted,
            Interrupt::AtOnce => CancelReason::Forced,
        }
    }
}

impl Control {
    /// Asks the run to end; does nothing once it is over.
    pub fn interrupt(&self, how: Interrupt) {
        // An error says that the run is over.
        let _ = self.sender.send(Message::Interrupt(how));
    }
}
