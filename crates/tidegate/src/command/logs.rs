//! `tidegate logs`: what jobs printed, in earlier runs and in one that another process runs now.

use std::collections::BTreeMap;
use std::io::{Read, Write, stdout};
use std::time::Duration;

use tidegate_pipeline::{Attempt, EventKind, JobIdx, PipelineId, Status};
use tidegate_report::run::{LogLines, Shown};
use tidegate_run::Follow;
use tidegate_store::{JobLogReader, JobLogsReader, RunId, Store};

use super::machine::failed;
use super::past::{Past, failure};
use super::run_tree::RunTree;
use crate::cli::{Global, LogsArgs};
use crate::exit::{Exit, Failure};
use crate::terminal::{print, style};

/// How often a log that grows is looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// Prints the logs, one job after the other; with `--follow` as they grow.
pub(crate) fn run(global: &Global, args: &LogsArgs) -> Result<Exit, Failure> {
    let past = Past::open(global)?;
    let (record, scope) = past.pipeline(args.run)?;
    let run = record.id;
    let tree = RunTree::read(&past.store, run)?;
    let mut jobs = Vec::new();
    for name in &args.jobs {
        let found = tree.named(scope, name);
        jobs.extend(found.map_err(|failure| {
            failure.hint(format!(
                "run {run} is meant; `--run ID` means another one, and `tidegate runs` lists them"
            ))
        })?);
    }
    let mut tails: Vec<Tail> = Vec::new();
    let mut logs: BTreeMap<PipelineId, JobLogsReader> = BTreeMap::new();
    for (pipeline, job) in jobs {
        let of_pipeline = logs
            .entry(pipeline)
            .or_insert_with(|| past.store.read_job_logs(RunId(pipeline.0)));
        tails.push(Tail {
            pipeline,
            job,
            logs: of_pipeline.clone(),
            attempt: args.attempt.map(Attempt),
            fixed: args.attempt.is_some(),
            status: Status::Created,
            name: None,
            reader: None,
            lines: (!args.raw).then(|| LogLines::new(style(global.color, &stdout()))),
        });
    }
    // One log needs no names before its lines.
    if tails.len() > 1 && !args.raw {
        for tail in &mut tails {
            tail.name = Some(tree.name(tail.pipeline, tail.job));
        }
    }
    Watch {
        store: &past.store,
        run,
        events: Follow::new(&past.store, run).map_err(|error| failure(&error))?,
        tails,
    }
    .show(args.follow)
}

/// The logs of some jobs of a run.
struct Watch<'s> {
    store: &'s Store,
    run: RunId,
    events: Follow,
    tails: Vec<Tail>,
}

/// How far one log has been shown.
struct Tail {
    pipeline: PipelineId,
    job: JobIdx,
    /// The try that is shown; `None` before the first.
    attempt: Option<Attempt>,
    /// A person chose the try.
    fixed: bool,
    status: Status,
    name: Option<String>,
    /// Those of its pipeline.
    logs: JobLogsReader,
    reader: Option<JobLogReader>,
    /// `None`: the bytes as they are.
    lines: Option<LogLines>,
}

impl Watch<'_> {
    fn show(mut self, follow: bool) -> Result<Exit, Failure> {
        loop {
            // Asked first: what was written before the writer left is still read below.
            let live = follow && self.is_live()?;
            self.take_events(follow)?;
            let mut moved = false;
            for tail in &mut self.tails {
                moved |= tail.advance()?;
            }
            let over = self.tails.iter().all(|tail| tail.status.is_complete());
            if !moved && (!live || over) {
                break;
            }
            if !moved {
                std::thread::sleep(PAUSE);
            }
        }
        let mut shown = false;
        for tail in &mut self.tails {
            shown |= tail.reader.is_some();
            tail.finish()?;
        }
        if shown {
            Ok(Exit::Fine)
        } else {
            Err(Failure::failed(format!(
                "run {} has no log of this job",
                self.run
            )))
        }
    }

    fn is_live(&self) -> Result<bool, Failure> {
        let live = self.store.is_run_live(self.run);
        live.map_err(|error| failed("look at the run", &error))
    }

    /// Learns which tries there are. A log that is followed is shown try by try, otherwise only the last.
    fn take_events(&mut self, follow: bool) -> Result<(), Failure> {
        while let Some(event) = self.events.event().map_err(|error| failure(&error))? {
            let EventKind::JobStatus {
                job,
                attempt,
                status,
                ..
            } = event.kind
            else {
                continue;
            };
            let of_job = |tail: &&mut Tail| (tail.pipeline, tail.job) == (event.pipeline, job);
            for tail in self.tails.iter_mut().filter(of_job) {
                tail.status = status;
                if tail.fixed || tail.attempt == Some(attempt) {
                    continue;
                }
                if follow && tail.reader.is_some() {
                    tail.advance()?;
                    tail.finish()?;
                }
                tail.attempt = Some(attempt);
                tail.reader = None;
            }
        }
        Ok(())
    }
}

impl Tail {
    /// Shows what is there; returns whether there was anything new.
    fn advance(&mut self) -> Result<bool, Failure> {
        let Some(attempt) = self.attempt else {
            return Ok(false);
        };
        if self.reader.is_none() {
            let opened = self.logs.open(u64::from(self.job.0), attempt.0);
            self.reader = opened.map_err(|error| failed("read the log", &error))?;
        }
        let Some(reader) = &mut self.reader else {
            return Ok(false);
        };
        let mut buffer = vec![0; 1 << 16];
        let mut moved = false;
        loop {
            let count = reader
                .read(&mut buffer)
                .map_err(|error| failed("read the log", &error))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                return Ok(moved);
            };
            moved = true;
            show(&mut self.lines, self.name.as_deref(), bytes)?;
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let mut text = String::new();
        if let Some(lines) = &mut self.lines {
            lines.finish(|shown| push(&mut text, self.name.as_deref(), shown));
        }
        print(&text)
    }
}

fn show(lines: &mut Option<LogLines>, name: Option<&str>, bytes: &[u8]) -> Result<(), Failure> {
    let Some(lines) = lines else {
        let mut out = stdout().lock();
        return match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(failed("write the output", &error))
            }
            _ => Ok(()),
        };
    };
    let mut text = String::new();
    lines.push(bytes, |shown| push(&mut text, name, shown));
    print(&text)
}

fn push(text: &mut String, name: Option<&str>, shown: Shown<'_>) {
    if let Shown::Line(line) = shown {
        if let Some(name) = name {
            text.push_str(name);
            text.push_str(" | ");
        }
        text.push_str(line);
        text.push('\n');
    }
}
