//! Parallel jobs become single ones, and names that stand for them are expanded (reference `config.md` §10.1).

mod matrix;

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use tidegate_source::{Diagnostic, Span};

use crate::keyword::job::WrittenJob;
use crate::keyword::needs::{NeededJob, WrittenNeed, WrittenNeeds};
use crate::keyword::parallel::{Parallel, combinations, instance_name};
use crate::{
    IfAbsent, Instance, Job, NeedSpec, Needs, PipelineNeed, Spanned, Text, VariableDefinition,
};

/// Names of the instances of each parallel job.
type Instances = FxHashMap<Arc<str>, Vec<Generated>>;

/// One instance of a parallel job.
struct Generated {
    name: Arc<str>,
    variables: Vec<(Arc<str>, Arc<str>)>,
}

/// Jobs on their way from what is written to what is named.
///
/// As long as no job is parallel, names need not be expanded and each job takes its last form at once: of thousands of jobs
/// none should be held twice.
pub(crate) enum Gathered {
    /// In their last form.
    Named(IndexMap<Arc<str>, Job>),
    /// Waiting for the names of all instances.
    Waiting(Vec<WrittenJob>),
}

impl Gathered {
    /// No jobs yet; `some_parallel` unless it is certain that none of them will be parallel.
    pub(crate) fn with_capacity(capacity: usize, some_parallel: bool) -> Gathered {
        match some_parallel {
            true => Gathered::Waiting(Vec::with_capacity(capacity)),
            false => Gathered::Named(IndexMap::with_capacity(capacity)),
        }
    }

    /// Adds a job.
    pub(crate) fn add(&mut self, job: WrittenJob) {
        match self {
            Gathered::Named(jobs) => {
                add_single(
                    jobs,
                    job,
                    &Instances::default(),
                    &mut matrix::Unknown::default(),
                );
            }
            Gathered::Waiting(jobs) => jobs.push(job),
        }
    }

    /// The jobs by full name. Of two with one name the later wins and takes the earlier's place, as in GitLab.
    ///
    /// # Errors
    /// A need names a matrix variable its job does not have.
    pub(crate) fn jobs(self) -> Result<IndexMap<Arc<str>, Job>, Diagnostic> {
        match self {
            Gathered::Named(jobs) => Ok(jobs),
            Gathered::Waiting(written) => expanded(written),
        }
    }
}

fn expanded(written: Vec<WrittenJob>) -> Result<IndexMap<Arc<str>, Job>, Diagnostic> {
    let instances = instances(&written);
    let mut jobs = IndexMap::with_capacity(written.len());
    let mut unknown = matrix::Unknown::default();
    for job in written {
        match instances.get(&job.name) {
            Some(generated) => {
                add_instances(&mut jobs, job, generated, &instances, &mut unknown);
            }
            None => add_single(&mut jobs, job, &instances, &mut unknown),
        }
    }
    unknown.result().map(|()| jobs)
}

fn instances(written: &[WrittenJob]) -> Instances {
    let mut instances = Instances::default();
    for job in written {
        let Some(parallel) = &job.parallel else {
            continue;
        };
        instances.insert(job.name.clone(), generate(&job.name, parallel));
    }
    instances
}

fn generate(base: &str, parallel: &Parallel) -> Vec<Generated> {
    match parallel {
        Parallel::Number(total) => (1..=*total)
            .map(|index| Generated {
                name: format!("{base} {index}/{total}").into(),
                variables: Vec::new(),
            })
            .collect(),
        Parallel::Matrix(matrix) => combinations(matrix)
            .into_iter()
            .map(|variables| Generated {
                name: instance_name(base, &variables),
                variables,
            })
            .collect(),
    }
}

fn add_single(
    jobs: &mut IndexMap<Arc<str>, Job>,
    job: WrittenJob,
    instances: &Instances,
    unknown: &mut matrix::Unknown,
) {
    let needs = job.needs.as_ref().map(|needs| {
        // Without any parallel job GitLab leaves everything as it is.
        if instances.is_empty() {
            return expand_needs(needs, instances);
        }
        let filled = matrix::fill(&job.name, needs, &[], &job.body.variables, unknown);
        expand_needs(&filled, instances)
    });
    let dependencies = job.dependencies.map(|names| expand_names(names, instances));
    let added = Job {
        name: job.name.clone(),
        base: job.name.clone(),
        span: job.span,
        instance: None,
        needs,
        dependencies,
        body: job.body,
    };
    jobs.insert(job.name, added);
}

fn add_instances(
    jobs: &mut IndexMap<Arc<str>, Job>,
    job: WrittenJob,
    generated: &[Generated],
    instances: &Instances,
    unknown: &mut matrix::Unknown,
) {
    let total = u32::try_from(generated.len()).unwrap_or(u32::MAX);
    let body = job.body;
    for (index, instance) in (1..).zip(generated) {
        let needs = job.needs.as_ref().map(|needs| {
            let values = &instance.variables;
            let filled = matrix::fill(&job.name, needs, values, &body.variables, unknown);
            expand_needs(&filled, instances)
        });
        let dependencies = job.dependencies.clone();
        let added = Job {
            name: instance.name.clone(),
            base: job.name.clone(),
            span: job.span,
            instance: Some(Box::new(Instance {
                index,
                total,
                matrix: instance.variables.iter().map(matrix_variable).collect(),
            })),
            needs,
            dependencies: dependencies.map(|names| expand_names(names, instances)),
            body: body.clone(),
        };
        jobs.insert(instance.name.clone(), added);
    }
}

fn matrix_variable((key, value): &(Arc<str>, Arc<str>)) -> VariableDefinition {
    VariableDefinition {
        key: key.clone(),
        value: value.clone(),
        raw: false,
        span: Span::NONE,
        prompt: None,
    }
}

fn expand_names(names: Vec<Text>, instances: &Instances) -> Box<[Text]> {
    let mut expanded = Vec::with_capacity(names.len());
    for name in names {
        match instances.get(&name.value) {
            Some(generated) => expanded.extend(
                generated
                    .iter()
                    .map(|instance| Spanned::new(instance.name.clone(), name.span)),
            ),
            None => expanded.push(name),
        }
    }
    expanded.into()
}

/// The needs of a rule: GitLab leaves the names of parallel jobs there alone.
pub(crate) fn unexpanded_needs(needs: &WrittenNeeds) -> Needs {
    expand_needs(needs, &Instances::default())
}

fn expand_needs(needs: &WrittenNeeds, instances: &Instances) -> Needs {
    let mut entries = Vec::with_capacity(needs.entries.len());
    for need in &needs.entries {
        expand_need(need, instances, &mut entries);
    }
    Needs {
        span: needs.span,
        entries: entries.into(),
    }
}

fn expand_need(need: &WrittenNeed, instances: &Instances, entries: &mut Vec<NeedSpec>) {
    match need {
        WrittenNeed::Job(job, if_absent) => {
            for name in expand_job(job, instances) {
                entries.push(job_need(name, job.artifacts, *if_absent));
            }
        }
        WrittenNeed::Any(any) => {
            let mut need = any.terms.clone();
            for job in &any.alternatives {
                let names = expand_job(job, instances).into_iter();
                need.alternatives
                    .extend(names.map(|name| (name, job.artifacts)));
            }
            entries.push(NeedSpec::Any(Box::new(need)));
        }
        WrittenNeed::Pipeline(need) => entries.push(NeedSpec::Pipeline(need.clone())),
        WrittenNeed::Project(need) => entries.push(NeedSpec::Project(need.clone())),
        WrittenNeed::Mirror(pipeline) => {
            let need = PipelineNeed {
                pipeline: pipeline.clone(),
                job: None,
                artifacts: false,
            };
            entries.push(NeedSpec::Pipeline(Box::new(need)));
        }
    }
}

fn job_need(name: Text, artifacts: bool, if_absent: IfAbsent) -> NeedSpec {
    NeedSpec::Job {
        name,
        artifacts,
        if_absent,
    }
}

/// The names a needed job stands for; a matrix is only looked at where the job is parallel.
fn expand_job(job: &NeededJob, instances: &Instances) -> Vec<Text> {
    let Some(generated) = instances.get(&job.name.value) else {
        return vec![job.name.clone()];
    };
    let at = |name| Spanned::new(name, job.name.span);
    match &job.matrix {
        Some(matrix) => combinations(matrix)
            .iter()
            .map(|values| at(instance_name(&job.name.value, values)))
            .collect(),
        None => generated
            .iter()
            .map(|instance| at(instance.name.clone()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::{gitlab, valid};
    use crate::{Job, NeedSpec};

    fn names(job: &Job) -> Vec<&str> {
        let needs = job.needs.iter().flat_map(|needs| &needs.entries);
        needs
            .filter_map(|need| match need {
                NeedSpec::Job { name, .. } => Some(&*name.value),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn needs_and_dependencies_name_every_instance() {
        let yaml = "a: {script: x, parallel: 2}\nb: {script: x, needs: [a], dependencies: [a]}";
        let config = valid(&gitlab(), yaml);
        let job = &config.jobs["b"];
        assert_eq!(names(job), ["a 1/2", "a 2/2"]);
        let dependencies = job.dependencies.iter().flatten();
        let dependencies: Vec<_> = dependencies.map(|name| &*name.value).collect();
        assert_eq!(dependencies, ["a 1/2", "a 2/2"]);
    }

    #[test]
    fn matrix_values_are_filled_into_needs_of_each_instance() {
        let yaml = "a: {script: x, parallel: {matrix: [{A: [b, c]}]}}\n\
                    b: {script: x, parallel: {matrix: [{A: [b, c]}]}, \
                    needs: [{job: a, parallel: {matrix: [{A: ['$[[ matrix.A ]]']}]}}]}";
        let config = valid(&gitlab(), yaml);
        assert_eq!(names(&config.jobs["b: [b]"]), ["a: [b]"]);
        assert_eq!(names(&config.jobs["b: [c]"]), ["a: [c]"]);
    }

    #[test]
    fn of_two_jobs_with_one_name_the_later_takes_the_earlier_ones_place() {
        let yaml = "a: {script: x, parallel: 2}\nb: {script: x}\n'a 1/2': {script: y}";
        let config = valid(&gitlab(), yaml);
        let all: Vec<_> = config.jobs.keys().map(|name| &**name).collect();
        assert_eq!(all, ["a 1/2", "a 2/2", "b"]);
        assert_eq!(&*config.jobs["a 1/2"].body.script[0].value, "y");
    }

    #[test]
    fn an_empty_row_makes_the_job_vanish() {
        let yaml = "a: {script: x, parallel: {matrix: [{A: []}]}}\nb: {script: x, needs: [a]}";
        let config = valid(&gitlab(), yaml);
        assert_eq!(config.jobs.len(), 1);
        assert!(names(&config.jobs["b"]).is_empty());
    }
}
