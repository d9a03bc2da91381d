//! Plans built by hand, for tests.

use std::sync::Arc;

use tidegate_expr::{Environment, Expression, NoInputs, Variable, Variables, evaluate_traced};
use tidegate_pipeline::{Job, JobIdx, Need, NeedEntry, Pipeline, Presence, StageIdx};
use tidegate_plan::{
    Basis, ClauseOutcome, ClauseTrace, ClauseTrial, Decision, LeftOut, Origins, Outcome, Plan,
    RuleEnd, RuleTrial, Trace, Verdict, WorkflowDecision,
};
use tidegate_scenario::Facts;
use tidegate_source::{Origin, SourceMap, Span};

/// A plan in the making.
pub(crate) struct Draft {
    pub(crate) pipeline: Pipeline,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) sources: SourceMap,
}

impl Draft {
    /// A plan without jobs.
    pub(crate) fn new(stages: &[&str]) -> Draft {
        Draft {
            pipeline: Pipeline {
                stages: stages.iter().map(|stage| (*stage).into()).collect(),
                ..Pipeline::default()
            },
            decisions: Vec::new(),
            sources: SourceMap::default(),
        }
    }

    /// Adds the file that places are looked for in.
    pub(crate) fn file(mut self, text: &str) -> Draft {
        self.sources.add(".gitlab-ci.yml", text, Origin::Root);
        self
    }

    /// Where `text` stands first.
    pub(crate) fn at(&self, text: &str) -> Span {
        let (id, file) = self.sources.files().next().expect("the draft has a file");
        let start = file.text.find(text).expect("the text is there") as u32;
        Span::new(id, start, start + text.len() as u32)
    }

    /// Adds a job that is in.
    pub(crate) fn job(&mut self, name: &str, stage: &str) -> &mut Job {
        let at = JobIdx(self.pipeline.jobs.len() as u32);
        let found = self
            .pipeline
            .stages
            .iter()
            .position(|known| &**known == stage);
        let mut job = Job::named(name);
        job.stage = StageIdx(found.expect("the stage is there") as u32);
        self.pipeline.jobs.push(job);
        self.decide(name, stage, Verdict::Included(at), Basis::Unconditional);
        self.pipeline.jobs.last_mut().expect("just added")
    }

    /// Adds a job with these needs.
    pub(crate) fn needing(&mut self, name: &str, stage: &str, needs: &[&str]) -> &mut Job {
        let entries = needs.iter().map(|need| NeedEntry::Job(self.need(need)));
        let entries = entries.collect();
        let job = self.job(name, stage);
        job.needs = Some(entries);
        job
    }

    /// A need on a job added before.
    pub(crate) fn need(&self, name: &str) -> Need {
        Need {
            job: self.pipeline.find(name).expect("the needed job is there"),
            artifacts: true,
        }
    }

    /// Makes a job a satisfied one.
    pub(crate) fn satisfy(&mut self, name: &str) {
        let at = self.pipeline.find(name).expect("the job is there");
        self.pipeline.jobs[at.at()].presence = Presence::Satisfied;
        self.decision(name).verdict = Verdict::Satisfied(at);
    }

    /// Adds a job that is out.
    pub(crate) fn left_out(&mut self, name: &str, stage: &str, why: LeftOut) {
        let basis = Basis::Rules { matched: None };
        self.decide(name, stage, Verdict::LeftOut(why), basis);
    }

    /// The decision about a job.
    pub(crate) fn decision(&mut self, name: &str) -> &mut Decision {
        let mut decisions = self.decisions.iter_mut();
        decisions
            .find(|d| &*d.name == name)
            .expect("the job is there")
    }

    /// The trace of a job, made where it has none.
    pub(crate) fn trace(&mut self, name: &str) -> &mut Trace {
        self.decision(name).trace.get_or_insert_default()
    }

    /// The plan with its pipeline.
    pub(crate) fn plan(self) -> Plan {
        let pipeline = Arc::new(self.pipeline);
        Plan {
            outcome: Outcome::Created(pipeline),
            diagnostics: Vec::new(),
            workflow: WorkflowDecision::default(),
            decisions: self.decisions,
            facts: Facts::default(),
            masked_values: Arc::default(),
        }
    }

    fn decide(&mut self, name: &str, stage: &str, verdict: Verdict, basis: Basis) {
        self.decisions.push(Decision {
            name: name.into(),
            span: Span::NONE,
            stage: stage.into(),
            verdict,
            basis,
            origins: Origins::default(),
            trace: None,
        });
    }
}

/// A rule that ended so.
pub(crate) fn rule(span: Span, clauses: Vec<ClauseTrial>, end: RuleEnd) -> RuleTrial {
    RuleTrial { span, clauses, end }
}

/// An `if`, really evaluated.
pub(crate) fn condition(span: Span, text: &str, variables: &[Variable]) -> ClauseTrial {
    let variables: Variables = variables.iter().cloned().collect();
    let expression = Expression::parse(text).expect("the test's expression is valid");
    let environment = Environment {
        variables: &variables,
        inputs: &NoInputs,
    };
    let tree = evaluate_traced(&expression, environment);
    let outcome = if tree.holds() {
        ClauseOutcome::Holds
    } else {
        ClauseOutcome::Fails
    };
    ClauseTrial {
        span,
        outcome,
        trace: ClauseTrace::If {
            text: text.into(),
            tree: Some(tree),
        },
    }
}

/// A clause that was not looked at.
pub(crate) fn not_reached(span: Span, trace: ClauseTrace) -> ClauseTrial {
    ClauseTrial {
        span,
        outcome: ClauseOutcome::NotReached,
        trace,
    }
}
