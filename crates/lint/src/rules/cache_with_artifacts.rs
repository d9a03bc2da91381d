//! L017: a job that `rules:cache` leaves out while others want its artifacts.
//!
//! Why it bites: when the cache is there the job is left out, and with it its artifacts: what consumes them finds nothing.
//!
//! How to mend it: cache everything the consumers want, or let them restore the cache instead of the artifacts.

use tidegate_config::{Clause, Config, Job, NeedSpec};
use tidegate_source::Diagnostic;

use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let Some(config) = subject.config() else {
        return;
    };
    for job in subject.jobs() {
        let Some(artifacts) = &job.body.inheritable.artifacts else {
            continue;
        };
        if artifacts.value.paths.is_empty() && !artifacts.value.untracked {
            continue;
        }
        let rules = job.body.rules.as_deref().unwrap_or_default();
        let clause = rules
            .iter()
            .flat_map(|rule| &rule.clauses)
            .find_map(|it| match it {
                Clause::Cache(cache) => Some(cache),
                _ => None,
            });
        let Some(clause) = clause else {
            continue;
        };
        let Some(consumer) = config.jobs.values().find(|other| wants(config, other, job)) else {
            continue;
        };
        let text = format!(
            "where the cache is present this job is left out, but job `{}` wants its artifacts",
            consumer.name
        );
        let finding = Diagnostic::finding("L017", text)
            .at(clause.span)
            .context(artifacts.span, "these are missing then")
            .help("put everything that is wanted into the cache, and restore it in the consumers");
        found.add_for(&job.base, finding);
    }
}

/// Whether `consumer` gets artifacts of `job` for certain: by `needs`, by `dependencies`, or by default from an earlier stage.
fn wants(config: &Config, consumer: &Job, job: &Job) -> bool {
    if let Some(needs) = &consumer.needs {
        return needs.entries.iter().any(|need| {
            matches!(need, NeedSpec::Job { name, artifacts: true, .. } if *name.value == *job.name)
        });
    }
    if let Some(dependencies) = &consumer.dependencies {
        return dependencies.iter().any(|name| *name.value == *job.name);
    }
    let stage = |job: &Job| config.stage_index(&job.body.stage.value);
    stage(consumer) > stage(job)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn artifacts_somebody_wants_are_found() {
        let text = "{j: {stage: build, script: x, cache: {key: k, paths: [a]}, \
                    artifacts: {paths: [b]}, rules: [{cache: missing}]}, k: {script: x}}";
        check("L017", text, &["missing"]);
        check(
            "L017",
            &text.replace("k: {script", "k: {dependencies: [], script"),
            &[],
        );
        check("L017", &text.replace("artifacts: {paths: [b]}, ", ""), &[]);
    }
}
