use std::time::Duration;

use tidegate_expr::VariableSource;

use super::*;
use crate::job::{Alternatives, Downstream, EnvironmentAction, Need, Pick, Strategy, Wait};
use crate::keyword::{
    Artifacts, Cache, CacheKey, CachePolicy, CacheWhen, Image, OnMiss, PullPolicy, PushIf, Report,
    Service,
};

fn image() -> Image {
    Image {
        name: "ruby:3".into(),
        entrypoint: Some(vec!["".into()]),
        pull_policy: vec![PullPolicy::IfNotPresent],
        docker_platform: Some("linux/arm64".into()),
        docker_user: None,
        kubernetes_user: Some("1000".into()),
    }
}

fn build() -> Build {
    Build {
        before_script: vec!["a".into()],
        script: vec!["b".into(), "c".into()],
        after_script: vec!["d".into()],
        pre_get_sources_script: vec!["e".into()],
        image: Some(image()),
        services: vec![Service {
            image: image(),
            alias: Some("db".into()),
            command: Some(vec![]),
            variables: vec![("A".into(), "b".into())],
        }],
        caches: vec![Cache {
            key: CacheKey::Files {
                files: vec!["Gemfile.lock".into()],
                prefix: Some("p".into()),
            },
            paths: vec!["vendor".into()],
            untracked: true,
            policy: CachePolicy::Text("$POLICY".into()),
            when: CacheWhen::Always,
            unprotect: true,
            fallback_keys: vec!["f".into()],
            on_miss: OnMiss::Produce,
            push_if: PushIf::Miss,
        }],
        cache_keys: vec!["p-1234".into()],
        artifacts: Some(Artifacts {
            name: Some("n".into()),
            paths: vec!["out".into()],
            exclude: vec!["out/x".into()],
            untracked: false,
            when: CacheWhen::OnFailure,
            expire_in: Some(week()),
            never_expires: false,
            expose_as: Some("e".into()),
            reports: vec![Report {
                kind: "junit".into(),
                paths: vec!["r.xml".into()],
            }],
            access: Some("all".into()),
        }),
        timeout: Some(week()),
        coverage: Some(r"\d+".into()),
        publish: Some("public".into()),
        further: vec![("pages".into(), "{}".into())],
    }
}

fn week() -> Timeout {
    Timeout {
        text: "1 week".into(),
        duration: Duration::from_secs(604_800),
    }
}

fn pipeline() -> Pipeline {
    let secret = Variable {
        masked: true,
        file: true,
        raw: true,
        ..Variable::new("TOKEN", "s3cret", VariableSource::SettingProject)
    };
    let nothing = Variable {
        value: None,
        ..Variable::new("NIL", "", VariableSource::YamlJob)
    };
    let layer: Arc<[Variable]> = [secret, nothing].into();
    let mut variables = Variables::default();
    variables.push(Arc::clone(&layer));
    let shared = Arc::new(build());
    let need = Need {
        job: JobIdx(0),
        artifacts: true,
    };
    let first = Job {
        variables: variables.clone(),
        action: Action::Build(Arc::clone(&shared)),
        tags: vec!["big".into()],
        interruptible: Some(true),
        resource_group: Some(ResourceGroup { key: "prod".into() }),
        recheck_caches: vec![0],
        presence: Presence::Satisfied,
        ..Job::named("first")
    };
    let second = Job {
        stage: StageIdx(1),
        when: When::Delayed,
        start_in: Some(week()),
        allow_failure: AllowFailure {
            always: false,
            exit_codes: vec![3, 4],
        },
        needs: Some(vec![
            NeedEntry::Job(need),
            NeedEntry::Any(Alternatives {
                jobs: vec![need],
                min: 1,
                wait: Wait::All,
                pick: Pick::First,
            }),
        ]),
        dependencies: Some(vec![JobIdx(0)]),
        from_earlier_runs: vec!["zeroth".into()],
        cross_needs: vec![CrossNeed::Project {
            project: "g/p".into(),
            reference: "main".into(),
            job: "j".into(),
            artifacts: false,
        }],
        retry: Retry {
            max: 2,
            when: vec!["always".into()],
            exit_codes: vec![1],
        },
        environment: Some(Arc::new(Environment {
            name: "$E".into(),
            expanded_name: "e".into(),
            url: None,
            action: EnvironmentAction::Stop,
            on_stop: Some("s".into()),
            auto_stop_in: None,
            deployment_tier: Some("other".into()),
        })),
        variables,
        action: Action::Build(shared),
        ..Job::named("second")
    };
    let bridge = Bridge {
        downstream: Downstream::Project {
            project: "g/q".into(),
            branch: None,
        },
        strategy: Some(Strategy::Mirror),
        forward_yaml_variables: true,
        forward_pipeline_variables: false,
        inputs: vec![("i".into(), "1".into())],
    };
    let third = Job {
        action: Action::Bridge(Arc::new(bridge)),
        ..Job::named("third")
    };
    Pipeline {
        name: Some("nightly".into()),
        stages: vec!["build".into(), "test".into()],
        jobs: vec![first, second, third],
        auto_cancel: AutoCancel {
            on_new_commit: AutoCancelOnNewCommit::Interruptible,
            on_job_failure: AutoCancelOnJobFailure::All,
        },
        process_modes: [("prod".into(), ProcessMode::NewestReadyFirst)].into(),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let before = pipeline();
    let after = pipeline_from_json(&pipeline_to_json(&before)).expect("it was just written");
    assert_eq!(format!("{after:#?}"), format!("{before:#?}"));
}

#[test]
fn what_jobs_share_is_written_once_and_shared_again() {
    let text = pipeline_to_json(&pipeline());
    assert_eq!(text.matches("s3cret").count(), 1);
    assert_eq!(text.matches("before_script").count(), 1);
    let after = pipeline_from_json(&text).expect("it was just written");
    let layer = |at: usize| Arc::as_ptr(&after.jobs[at].variables.layers()[0]).cast::<Variable>();
    assert_eq!(layer(0), layer(1));
}

#[test]
fn another_version_and_an_index_that_points_nowhere_are_errors() {
    let text = pipeline_to_json(&pipeline());
    let newer = text.replacen("\"v\":1", "\"v\":2", 1);
    let error = pipeline_from_json(&newer).expect_err("it is of another version");
    assert_eq!(error.to_string(), "read a pipeline: version 2 is not 1");
    let broken = text.replacen("\"dependencies\":[0]", "\"dependencies\":[9]", 1);
    let error = pipeline_from_json(&broken).expect_err("there are three jobs");
    assert_eq!(
        error.to_string(),
        "read a pipeline: an index points nowhere"
    );
    let unknown = text.replacen("\"satisfied\"", "\"delighted\"", 1);
    let error = pipeline_from_json(&unknown).expect_err("no such word");
    assert_eq!(error.to_string(), "read a pipeline: unknown word");
}
