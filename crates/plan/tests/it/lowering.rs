//! Policies against their lowering to rules, over random policies and situations (reference `extensions.md` §3).

use proptest::prelude::*;
use tidegate_config::Config;
use tidegate_pipeline::Job;
use tidegate_plan::{Detail, lowered, plan};
use tidegate_scenario::{
    FixtureWorld, MergeRequest, MergeRequestKind, PipelineSource, Ref, Scenario,
};

use crate::situation::config;

fn one_of(items: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(items).prop_map(str::to_owned)
}

fn refs() -> impl Strategy<Value = String> {
    let pattern = one_of(&[
        "branches",
        "tags",
        "main",
        "web",
        "webs",
        "schedules",
        "pushes",
        "merge_requests",
        "push",
        "/^ma/",
        "/v1/",
        "/b/",
        "/A/i",
        "/./",
        "/a\\/b/",
        "main@group/project",
        "main@other/fork",
        "/^v/@group/project",
        "parent_pipeline",
        "policies",
        "security_orchestration_policies",
    ]);
    prop::collection::vec(pattern, 0..3).prop_map(|refs| list("refs", &refs))
}

fn variables() -> impl Strategy<Value = String> {
    let expression = one_of(&[
        "$EMPTY",
        "$SET",
        "$NONE",
        "$SET == \"x\"",
        "$EMPTY || $SET",
        "$SET && $EMPTY",
        "$NONE == null",
        "$SET =~ /^x/ || $NONE",
        "\"\"",
        "$CI_COMMIT_REF_NAME == \"main\"",
    ]);
    prop::collection::vec(expression, 0..3).prop_map(|all| list("variables", &all))
}

fn changes() -> impl Strategy<Value = String> {
    let glob = one_of(&["a.txt", "*.md", "src/**/*", "$SET", "100%"]);
    prop::collection::vec(glob, 0..3).prop_map(|globs| list("changes", &globs))
}

fn list(key: &str, items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("'{item}'")).collect();
    format!("{key}: [{}]", items.join(", "))
}

fn policy() -> impl Strategy<Value = String> {
    let kubernetes = Just("kubernetes: active".to_owned());
    let keys = (
        prop::option::of(refs()),
        prop::option::of(variables()),
        prop::option::weighted(0.4, changes()),
        prop::option::weighted(0.2, kubernetes),
    );
    keys.prop_map(|(refs, variables, changes, kubernetes)| {
        let keys: Vec<String> = [refs, variables, changes, kubernetes]
            .into_iter()
            .flatten()
            .collect();
        let keys = if keys.is_empty() {
            "refs: [main]".to_owned()
        } else {
            keys.join(", ")
        };
        format!("{{{keys}}}")
    })
}

fn configuration() -> impl Strategy<Value = String> {
    let positive = one_of(&["only", "only_and", "only_or", ""]);
    let negative = one_of(&["except", "except_and", "except_or", ""]);
    let attributes = one_of(&[
        "",
        "when: manual",
        "when: on_failure",
        "allow_failure: true",
        "when: manual, allow_failure: false",
        "when: delayed, start_in: 5 minutes",
        "allow_failure: {exit_codes: 3}",
    ]);
    let workflow = prop::bool::weighted(0.3);
    (positive, policy(), negative, policy(), attributes, workflow).prop_map(
        |(positive, only, negative, except, attributes, workflow)| {
            let mut keys = vec!["script: make".to_owned()];
            if !positive.is_empty() {
                keys.push(format!("{positive}: {only}"));
            }
            if !negative.is_empty() {
                keys.push(format!("{negative}: {except}"));
            }
            if !attributes.is_empty() {
                keys.push(attributes);
            }
            let rules = if workflow { "workflow: {rules: [{when: always}]}\n" } else { "" };
            format!(
                "variables: {{EMPTY: '', SET: x}}\n{rules}j: {{{}}}\nalways: {{script: make, rules: \
                 [{{when: always}}]}}\n",
                keys.join(", ")
            )
        },
    )
}

fn situation() -> impl Strategy<Value = Scenario> {
    let name = prop::sample::select(&["main", "v1", "web", "branches", "a/b", "B"][..]);
    let kind = 0..3_u8;
    let source = prop::sample::select(&PipelineSource::ALL[..]);
    let paths = prop::option::weighted(
        0.7,
        prop::collection::vec(
            one_of(&["a.txt", "x.md", "src/a/b.rs", "$SET", "x", "100%"]),
            0..3,
        ),
    );
    (name, kind, source, paths, any::<bool>()).prop_map(
        |(name, kind, source, paths, kubernetes)| {
            let mut scenario = Scenario::push(name);
            scenario.source = source;
            scenario.git_ref = match kind {
                0 => Ref::Branch(name.to_owned()),
                1 => Ref::Tag(name.to_owned()),
                _ => Ref::MergeRequest(Box::new(request(name))),
            };
            scenario.project.kubernetes_active = kubernetes;
            scenario.overrides.changed_paths = Some(paths);
            scenario
        },
    )
}

fn request(source_branch: &str) -> MergeRequest {
    MergeRequest {
        iid: 1,
        source_branch: source_branch.to_owned(),
        target_branch: "main".to_owned(),
        source_project: None,
        kind: MergeRequestKind::Detached,
        title: String::new(),
        description: String::new(),
        draft: false,
        labels: Vec::new(),
        assignees: Vec::new(),
        milestone: None,
        approved: false,
        squash: false,
        source_protected: false,
        target_protected: false,
        diff_base_sha: None,
    }
}

/// The job as it enters, or `None`.
fn entered(config: &Config, scenario: &Scenario) -> Option<Job> {
    let world = FixtureWorld::default();
    let plan = plan(config, scenario, &world, &Detail::Compact).expect("a fixture never fails");
    let pipeline = plan.pipeline().expect("one job is always in");
    let at = pipeline.find("j")?;
    Some(pipeline.job(at).clone())
}

/// The same configuration with the job's policies lowered, as exporting would write it.
fn with_rules(config: &Config) -> Config {
    let mut config = config.clone();
    if let Some(job) = config.jobs.get_mut("j") {
        if job.body.only.is_none() && job.body.except.is_none() {
            return config;
        }
        let rules = lowered(&job.body).expect("nothing here is too long");
        let mut body = (*job.body).clone();
        body.rules = Some(rules.into());
        (body.only, body.except, body.when, body.start_in) = (None, None, None, None);
        job.body = body.into();
    }
    config
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rules_decide_as_the_policies_they_were_made_of(
        text in configuration(),
        situations in prop::collection::vec(situation(), 4),
    ) {
        let config = config(&text);
        let rules = with_rules(&config);
        // A policy whose conditions never hold has no rules; an empty list would mean the opposite.
        let never = rules.jobs["j"].body.rules.as_deref().is_some_and(<[_]>::is_empty);
        for scenario in &situations {
            let by_policies = entered(&config, scenario);
            if never {
                prop_assert!(by_policies.is_none(), "{text}");
                continue;
            }
            let by_rules = entered(&rules, scenario);
            let shape = |job: &Job| {
                (job.when, job.allow_failure.clone(), job.start_in.clone())
            };
            prop_assert_eq!(
                by_policies.as_ref().map(shape),
                by_rules.as_ref().map(shape),
                "{}\n{:?} {:?}\n{:?}", text, scenario.source, scenario.git_ref,
                rules.jobs["j"].body.rules
            );
        }
    }
}
