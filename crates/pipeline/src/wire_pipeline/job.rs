//! Mirrors of what a job is made of, but its variables and its build: jobs share those.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::mirror::{Mirrored, record, words};
use crate::id::JobIdx;
use crate::job::{
    AllowFailure, Alternatives, Bridge, Build, CrossNeed, Downstream, Environment,
    EnvironmentAction, Need, NeedEntry, Pick, Presence, ResourceGroup, Strategy, Wait,
};
use crate::keyword::{Artifacts, Cache, Image, Service, Timeout};

words!(Presence { Included = "included", Satisfied = "satisfied" });

words!(Wait { First = "first", All = "all" });

words!(Pick { First = "first", All = "all" });

words!(Strategy { Depend = "depend", Mirror = "mirror" });

words!(EnvironmentAction {
    Start = "start",
    Stop = "stop",
    Prepare = "prepare",
    Verify = "verify",
    Access = "access",
});

record!(AllowFailure as AllowFailureWire { always: bool, exit_codes: Vec<i64> });

record!(Need as NeedWire { job: JobIdx, artifacts: bool });

record!(Alternatives as AlternativesWire { jobs: Vec<Need>, min: u32, wait: Wait, pick: Pick });

record!(ResourceGroup as ResourceGroupWire { key: Arc<str> });

record!(Environment as EnvironmentWire {
    name: Arc<str>,
    expanded_name: Arc<str>,
    url: Option<Arc<str>>,
    action: EnvironmentAction,
    on_stop: Option<Arc<str>>,
    auto_stop_in: Option<Arc<str>>,
    deployment_tier: Option<Arc<str>>,
});

record!(Build as BuildWire {
    before_script: Vec<Arc<str>>,
    script: Vec<Arc<str>>,
    after_script: Vec<Arc<str>>,
    pre_get_sources_script: Vec<Arc<str>>,
    image: Option<Image>,
    services: Vec<Service>,
    caches: Vec<Cache>,
    cache_keys: Vec<Arc<str>>,
    artifacts: Option<Artifacts>,
    timeout: Option<Timeout>,
    coverage: Option<Arc<str>>,
    publish: Option<Arc<str>>,
    further: Vec<(Arc<str>, Arc<str>)>,
});

record!(Bridge as BridgeWire {
    downstream: Downstream,
    strategy: Option<Strategy>,
    forward_yaml_variables: bool,
    forward_pipeline_variables: bool,
    inputs: Vec<(Arc<str>, Arc<str>)>,
});

impl Mirrored for JobIdx {
    type Wire = u32;

    fn wire(&self) -> u32 {
        self.0
    }

    fn model(wire: u32) -> Option<JobIdx> {
        Some(JobIdx(wire))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NeedEntryWire {
    Job(NeedWire),
    Any(AlternativesWire),
}

impl Mirrored for NeedEntry {
    type Wire = NeedEntryWire;

    fn wire(&self) -> NeedEntryWire {
        match self {
            NeedEntry::Job(need) => NeedEntryWire::Job(need.wire()),
            NeedEntry::Any(any) => NeedEntryWire::Any(any.wire()),
        }
    }

    fn model(wire: NeedEntryWire) -> Option<NeedEntry> {
        Some(match wire {
            NeedEntryWire::Job(need) => NeedEntry::Job(Mirrored::model(need)?),
            NeedEntryWire::Any(any) => NeedEntry::Any(Mirrored::model(any)?),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CrossNeedWire {
    Pipeline {
        pipeline: String,
        job: String,
        artifacts: bool,
    },
    Project {
        project: String,
        reference: String,
        job: String,
        artifacts: bool,
    },
}

impl Mirrored for CrossNeed {
    type Wire = CrossNeedWire;

    fn wire(&self) -> CrossNeedWire {
        match self {
            CrossNeed::Pipeline {
                pipeline,
                job,
                artifacts,
            } => CrossNeedWire::Pipeline {
                pipeline: pipeline.wire(),
                job: job.wire(),
                artifacts: *artifacts,
            },
            CrossNeed::Project {
                project,
                reference,
                job,
                artifacts,
            } => CrossNeedWire::Project {
                project: project.wire(),
                reference: reference.wire(),
                job: job.wire(),
                artifacts: *artifacts,
            },
        }
    }

    fn model(wire: CrossNeedWire) -> Option<CrossNeed> {
        Some(match wire {
            CrossNeedWire::Pipeline {
                pipeline,
                job,
                artifacts,
            } => CrossNeed::Pipeline {
                pipeline: pipeline.into(),
                job: job.into(),
                artifacts,
            },
            CrossNeedWire::Project {
                project,
                reference,
                job,
                artifacts,
            } => CrossNeed::Project {
                project: project.into(),
                reference: reference.into(),
                job: job.into(),
                artifacts,
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DownstreamWire {
    Child {
        include: String,
    },
    Project {
        project: String,
        branch: Option<String>,
    },
    Mirror {
        project: String,
    },
}

impl Mirrored for Downstream {
    type Wire = DownstreamWire;

    fn wire(&self) -> DownstreamWire {
        match self {
            Downstream::Child { include } => DownstreamWire::Child {
                include: include.wire(),
            },
            Downstream::Project { project, branch } => DownstreamWire::Project {
                project: project.wire(),
                branch: branch.wire(),
            },
            Downstream::Mirror { project } => DownstreamWire::Mirror {
                project: project.wire(),
            },
        }
    }

    fn model(wire: DownstreamWire) -> Option<Downstream> {
        Some(match wire {
            DownstreamWire::Child { include } => Downstream::Child {
                include: include.into(),
            },
            DownstreamWire::Project { project, branch } => Downstream::Project {
                project: project.into(),
                branch: Mirrored::model(branch)?,
            },
            DownstreamWire::Mirror { project } => Downstream::Mirror {
                project: project.into(),
            },
        })
    }
}
