//! One answer: a value, or why there is none.

use serde::{Deserialize, Serialize};

use super::UnreadableRecord;
use crate::fact::{Fact, Why};

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case")]
pub(super) enum FactRecord<T> {
    Known(T),
    Unknown(WhyRecord),
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhyRecord {
    NotApplicable(String),
    TimedOut,
    Offline,
    Refused(String),
    NotConfigured(String),
    Failed(String),
    NotRecorded,
}

impl<T> FactRecord<T> {
    pub(super) fn of<M>(fact: &Fact<M>, record: impl FnOnce(&M) -> T) -> FactRecord<T> {
        match fact {
            Fact::Known(value) => FactRecord::Known(record(value)),
            Fact::Unknown(why) => FactRecord::Unknown(WhyRecord::of(why)),
        }
    }

    pub(super) fn fact<M>(
        self,
        model: impl FnOnce(T) -> Result<M, UnreadableRecord>,
    ) -> Result<Fact<M>, UnreadableRecord> {
        Ok(match self {
            FactRecord::Known(value) => Fact::Known(model(value)?),
            FactRecord::Unknown(why) => Fact::Unknown(why.why()),
        })
    }
}

impl WhyRecord {
    fn of(why: &Why) -> WhyRecord {
        match why {
            Why::NotApplicable(text) => WhyRecord::NotApplicable(text.clone()),
            Why::TimedOut => WhyRecord::TimedOut,
            Why::Offline => WhyRecord::Offline,
            Why::Refused(text) => WhyRecord::Refused(text.clone()),
            Why::NotConfigured(text) => WhyRecord::NotConfigured(text.clone()),
            Why::Failed(text) => WhyRecord::Failed(text.clone()),
            Why::NotRecorded => WhyRecord::NotRecorded,
        }
    }

    fn why(self) -> Why {
        match self {
            WhyRecord::NotApplicable(text) => Why::NotApplicable(text),
            WhyRecord::TimedOut => Why::TimedOut,
            WhyRecord::Offline => Why::Offline,
            WhyRecord::Refused(text) => Why::Refused(text),
            WhyRecord::NotConfigured(text) => Why::NotConfigured(text),
            WhyRecord::Failed(text) => Why::Failed(text),
            WhyRecord::NotRecorded => Why::NotRecorded,
        }
    }
}
