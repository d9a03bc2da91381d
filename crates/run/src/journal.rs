//! The log of a run as it was written: events for readers, inputs to get back to where it was.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;
use tidegate_pipeline::{
    Attempt, Event, EventKind, JobIdx, JobKey, PipelineId, Status, event_from_json,
};
use tidegate_schedule::Input;
use tidegate_store::{NextRecord, RecordReader, RunId, Store, StoreError};

use crate::input_record::input_from_json;

/// A run's log cannot be read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The store cannot be used, or has no such run.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is of another version, or damaged.
    #[error("read the log of run {run}: {why}")]
    Unreadable {
        /// Which run.
        run: RunId,
        /// What is wrong.
        why: String,
    },
}

/// Everything that happened to a run so far.
#[derive(Clone, Default, Debug)]
pub struct Journal {
    /// What people and executors told the schedulers, each with the pipeline it was for.
    pub inputs: Vec<(PipelineId, Input)>,
    /// What followed, as it was told.
    pub events: Vec<Event>,
}

/// One record of the log.
enum Record {
    Input(PipelineId, Input),
    Event(Event),
}

impl Journal {
    /// Reads what is there of a run.
    ///
    /// # Errors
    /// There is no such run, or a record is unreadable.
    pub fn read(store: &Store, run: RunId) -> Result<Journal, JournalError> {
        let mut follow = Follow::new(store, run)?;
        let mut journal = Journal::default();
        while let Some(record) = follow.record()? {
            match record {
                Record::Input(pipeline, input) => journal.inputs.push((pipeline, input)),
                Record::Event(event) => journal.events.push(event),
            }
        }
        Ok(journal)
    }

    /// The downstream pipelines that were created, each with the try of the trigger job that made it, in that order.
    pub fn downstream(&self) -> impl Iterator<Item = (PipelineId, JobKey)> + '_ {
        self.events.iter().filter_map(|event| match event.kind {
            EventKind::PipelineCreated {
                parent: Some(parent),
                ..
            } => Some((event.pipeline, parent)),
            _ => None,
        })
    }

    /// The try and status of each job that readers were told last, and since when it is in that status.
    pub(crate) fn told(&self) -> BTreeMap<(PipelineId, JobIdx), Told> {
        let mut all: BTreeMap<(PipelineId, JobIdx), Told> = BTreeMap::new();
        for event in &self.events {
            let EventKind::JobStatus {
                job,
                attempt,
                status,
                ..
            } = event.kind
            else {
                continue;
            };
            let now = Told {
                attempt,
                status,
                since_ms: event.at_ms,
            };
            let known = all.entry((event.pipeline, job)).or_insert(now);
            if (known.attempt, known.status) != (attempt, status) {
                *known = now;
            }
        }
        all
    }
}

/// What readers were told of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) attempt: Attempt,
    pub(crate) status: Status,
    pub(crate) since_ms: u64,
}

/// Reads the events of a run, also while another process writes them.
#[derive(Debug)]
pub struct Follow {
    reader: RecordReader,
    run: RunId,
}

impl Follow {
    /// Begins with the first event of a run.
    ///
    /// # Errors
    /// There is no such run.
    pub fn new(store: &Store, run: RunId) -> Result<Follow, JournalError> {
        let reader = store.read_run_log(run)?;
        Ok(Follow { reader, run })
    }

    /// The next event; `None` where there is none yet: ask again while the run is live.
    ///
    /// # Errors
    /// A record is unreadable.
    pub fn event(&mut self) -> Result<Option<Event>, JournalError> {
        while let Some(record) = self.record()? {
            if let Record::Event(event) = record {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn record(&mut self) -> Result<Option<Record>, JournalError> {
        match self.reader.next_record()? {
            NextRecord::Record(bytes) => self.parsed(&bytes).map(Some),
            // A crash tore the end; whoever goes on with the run cuts it off.
            NextRecord::End | NextRecord::Torn => Ok(None),
        }
    }

    fn parsed(&self, bytes: &[u8]) -> Result<Record, JournalError> {
        let run = self.run;
        let unreadable = |why: String| JournalError::Unreadable { run, why };
        let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
        let kind: Kind =
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if kind.input.is_some() {
            let (pipeline, input) = input_from_json(text).map_err(unreadable)?;
            Ok(Record::Input(pipeline.unwrap_or(PipelineId(run.0)), input))
        } else {
            let event = event_from_json(text).map_err(|error| unreadable(error.0))?;
            Ok(Record::Event(event))
        }
    }
}

#[derive(Deserialize)]
struct Kind {
    input: Option<IgnoredAny>,
}
