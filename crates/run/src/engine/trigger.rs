//! Makes the pipelines that trigger jobs ask for, and tells trigger jobs how they stand.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tidegate_pipeline::{
    Bridge, Downstream, EventKind, FailureReason, JobKey, PipelineId, Status, start_variables,
};
use tidegate_schedule::{CancelCause, Input};

use super::Engine;
use super::apply::Addressed;
use super::forward::forwarded;
use super::pipeline_run::PipelineRun;
use crate::downstream::{Ancestor, Created, Elsewhere, Refusal, TriggerRequest, Triggered};
use crate::message::Message;
use crate::remote::RemoteCaches;
use crate::setup::{Base, RunError};
use crate::stored_run::StoredRun;

impl Engine<'_> {
    /// Has the pipeline of a trigger job planned, on a thread of its own.
    pub(super) fn start_downstream(&mut self, key: JobKey) -> Result<Vec<Addressed>, RunError> {
        let pipeline = self.pipeline(key.pipeline);
        let Some(bridge) = pipeline.bridge(key.job) else {
            return Ok(Vec::new());
        };
        if let Some(child) = pipeline.children.get(&(key.job, key.attempt)) {
            // It was made before the run was resumed, and its trigger job not told.
            return Ok(self.begin_child(key, *child));
        }
        let bridge = Arc::clone(bridge);
        self.plan_downstream(key, bridge)?;
        Ok(Vec::new())
    }

    pub(super) fn plan_downstream(
        &mut self,
        key: JobKey,
        bridge: Arc<Bridge>,
    ) -> Result<(), RunError> {
        let request = self.request(key, bridge);
        let planner = Arc::clone(&self.planner);
        let sender = self.pipeline(key.pipeline).shared.sender.clone();
        let plan = move || {
            let attempted = std::panic::catch_unwind(AssertUnwindSafe(|| planner.plan(&request)));
            let triggered = attempted.unwrap_or_else(|_| {
                Triggered::Refused(Refusal {
                    reason: FailureReason::DownstreamPipelineCreationFailed,
                    messages: vec!["planning the pipeline panicked".to_owned()],
                })
            });
            // An error says that the run is over.
            let _ = sender.send(Message::Planned { key, triggered });
        };
        let thread = std::thread::Builder::new().name(format!("trigger {}", key.job.0));
        self.threads
            .push(thread.spawn(plan).map_err(RunError::Thread)?);
        self.planning.insert(key);
        Ok(())
    }

    fn request(&self, key: JobKey, bridge: Arc<Bridge>) -> TriggerRequest {
        let pipeline = self.pipeline(key.pipeline);
        let job = pipeline.pipeline().job(key.job);
        let job_id = pipeline.job_id(key.job, key.attempt);
        let persisted = pipeline.persisted(key.job, job, job_id);
        let dotenv = pipeline.dotenv_of(&pipeline.sources(key.job));
        let variables = start_variables(job, &persisted, &dotenv);
        TriggerRequest {
            key,
            job: job.name.clone(),
            job_id,
            variables: forwarded(&bridge, &variables),
            bridge,
            lineage: self.lineage(key.pipeline),
            tree: pipeline
                .shared
                .base
                .iter()
                .map(|layer| layer.path.clone())
                .collect(),
            pins: pipeline.shared.pins.clone(),
            pipelines: self.pipelines.len(),
        }
    }

    fn lineage(&self, id: PipelineId) -> Vec<Ancestor> {
        let above = |id: &PipelineId| self.pipeline(*id).parent.map(|key| key.pipeline);
        std::iter::successors(Some(id), above)
            .map(|id| Ancestor {
                id,
                origin: Arc::clone(&self.pipeline(id).facts.origin),
            })
            .collect()
    }

    /// Takes the planner's answer.
    pub(super) fn planned(&mut self, key: JobKey, triggered: Triggered) -> Result<(), RunError> {
        self.planning.remove(&key);
        let (id, job, attempt) = (key.pipeline, key.job, key.attempt);
        // One that was being told the status it mirrors when the run was stopped is running already.
        let mirrors = matches!(triggered, Triggered::Mirrored(_))
            && self.pipeline(id).stands(key, Status::Running);
        if !mirrors && !self.pipeline(id).stands(key, Status::Pending) {
            // It was canceled meanwhile.
            return self.forget(key, triggered);
        }
        let follow_up = match triggered {
            Triggered::Created(created) => return self.create(key, *created),
            Triggered::Mirrored(status) => {
                if !mirrors {
                    self.apply(id, Input::DownstreamCreated { job, attempt })?;
                }
                Input::BridgeStatus {
                    job,
                    attempt,
                    status,
                }
            }
            Triggered::Elsewhere(elsewhere) => self.elsewhere(key, elsewhere)?,
            Triggered::Refused(refusal) => {
                let mut messages = refusal.messages.iter();
                if let Some(first) = messages.next() {
                    self.say(key, &format!("\u{1b}[31;1mERROR: {first}\u{1b}[0;m"));
                }
                for message in messages {
                    self.say(key, message);
                }
                failed(key, refusal.reason)
            }
        };
        self.apply(id, follow_up)
    }

    /// Removes what was registered for a trigger job that no longer wants it.
    fn forget(&mut self, key: JobKey, triggered: Triggered) -> Result<(), RunError> {
        if let Triggered::Created(created) = triggered {
            let run = created.begun.record.id;
            drop(created);
            self.pipeline(key.pipeline).shared.store.remove_run(run)?;
        }
        Ok(())
    }

    /// Nothing can be triggered. Without a strategy GitLab's parent does not look at what comes of it either; with one there is
    /// nothing it could take its status from.
    fn elsewhere(&mut self, key: JobKey, elsewhere: Elsewhere) -> Result<Input, RunError> {
        let (job, attempt) = (key.job, key.attempt);
        for message in &elsewhere.messages {
            self.say(key, message);
        }
        let kind = EventKind::WouldTrigger {
            job,
            attempt,
            project: elsewhere.project,
            reference: elsewhere.reference,
        };
        self.emit(key.pipeline, kind)?;
        let pipeline = self.pipeline(key.pipeline);
        let downstream = pipeline.bridge(job).map(|bridge| &bridge.downstream);
        Ok(match downstream {
            Some(Downstream::Mirror { .. }) => {
                failed(key, FailureReason::UpstreamBridgeProjectNotFound)
            }
            _ if pipeline.follows(job) => {
                failed(key, FailureReason::DownstreamBridgeProjectNotFound)
            }
            _ => Input::DownstreamCreated { job, attempt },
        })
    }

    fn create(&mut self, key: JobKey, created: Created) -> Result<(), RunError> {
        let Created {
            begun,
            mut facts,
            base,
            messages,
        } = created;
        for message in &messages {
            self.say(key, message);
        }
        let above = &self.pipeline(key.pipeline).shared;
        let (run, remote) = (begun.record.id, self.remote_of(&facts));
        let mut shared = above.of_another(run, facts.project.clone(), remote);
        let mut guards: (Option<Box<dyn Send>>, _) = (None, begun.log);
        match base {
            Some(Base {
                layers,
                tracked,
                guard,
            }) => {
                shared.base = layers;
                shared.tracked = tracked;
                guards.0 = Some(guard);
            }
            None => {
                let of = self.pipeline(key.pipeline);
                facts.base_of = Some(of.facts.base_of.unwrap_or(of.record.id));
            }
        }
        let mut child = PipelineRun::new(begun.record, facts, Some(key), shared);
        child.guard = Some(Box::new(guards));
        child.number_jobs()?;
        child.save()?;
        let id = child.id;
        self.adopt(child);
        self.created(id)?;
        for (id, input) in self.begin_child(key, id) {
            self.apply(id, input)?;
        }
        Ok(())
    }

    /// The cache a downstream pipeline shares with other machines: that of the run where both are of one project and ref, since it
    /// holds for one project, with the rights of one ref.
    pub(super) fn remote_of(&self, facts: &StoredRun) -> Option<Arc<dyn RemoteCaches>> {
        let root = self.pipeline(self.root);
        let is_ours =
            facts.project.key == root.shared.project.key && facts.suffix == root.facts.suffix;
        match is_ours {
            true => root.shared.remote.clone(),
            false => self.planner.remote(facts),
        }
    }

    /// Makes a pipeline one of the run.
    pub(super) fn adopt(&mut self, child: PipelineRun) {
        let id = child.id;
        if let Some(parent) = child.parent {
            self.observer.downstream(id, parent, child.pipeline());
            let above = self.pipeline_mut(parent.pipeline);
            above.children.insert((parent.job, parent.attempt), id);
        }
        self.pipelines.insert(id, child);
    }

    /// What starts a pipeline that was made.
    fn begin_child(&self, key: JobKey, child: PipelineId) -> Vec<Addressed> {
        let (job, attempt) = (key.job, key.attempt);
        let told = (key.pipeline, Input::DownstreamCreated { job, attempt });
        vec![told, (child, Input::Start)]
    }

    /// What a trigger job is told of the status of its pipeline, where it follows it.
    pub(super) fn tell_above(&self, id: PipelineId, status: Status) -> Option<Addressed> {
        let JobKey {
            pipeline,
            job,
            attempt,
        } = self.pipeline(id).parent?;
        let above = self.pipeline(pipeline);
        let present = above.schedule.attempt(job) == attempt;
        let told = above.schedule.status(job) != Status::Pending;
        let input = Input::BridgeStatus {
            job,
            attempt,
            status,
        };
        (present && told && above.follows(job)).then_some((pipeline, input))
    }

    /// Cancels the pipeline of a trigger job. One that is still being planned is dropped when the planner answers.
    pub(super) fn cancel_downstream(&self, key: JobKey) -> Vec<Addressed> {
        let above = self.pipeline(key.pipeline);
        let child = above.children.get(&(key.job, key.attempt)).copied();
        let open = child.filter(|child| !self.pipeline(*child).schedule.is_over());
        let cause = CancelCause::Upstream;
        open.map(|child| (child, Input::CancelAll { cause }))
            .into_iter()
            .collect()
    }
}

fn failed(key: JobKey, reason: FailureReason) -> Input {
    Input::JobFailed {
        job: key.job,
        attempt: key.attempt,
        reason,
        exit_code: None,
    }
}
