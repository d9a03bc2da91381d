//! Cache keys, step by step, as records.

use tidegate_plan::{CacheAsked, CacheDerivation, CacheMissReason, KeyReference, KeyState};
use tidegate_scenario::{CacheState, Fact};

use super::record::{AskedRecord, CacheRecord, DigestFile, DigestRecord, ReferenceRecord};
use super::teller::{Teller, source};
use crate::secrets::MASKED;

/// A cache that a clause asked for.
pub(crate) fn asked(asked: &CacheAsked, teller: &Teller<'_>) -> AskedRecord {
    let (state, mut reason) = told_state(&asked.state);
    if let Err(why) = &asked.key {
        reason = Some(unknown_key(why));
    }
    AskedRecord {
        index: asked.index,
        key: asked.key.as_ref().ok().map(|key| teller.text(key)),
        state,
        reason: reason.map(|reason| teller.text(&reason)),
        fallback: asked.fallback.as_ref().map(|key| teller.text(key)),
    }
}

/// How a key comes about.
pub(crate) fn cache(derivation: &CacheDerivation, teller: &Teller<'_>) -> CacheRecord {
    let (state, mut reason) = match &derivation.state {
        KeyState::NotAsked => ("not_asked", None),
        KeyState::Asked(fact) => told_state(fact),
    };
    if let Err(why) = &derivation.key {
        reason = Some(unknown_key(why));
    }
    let digest = derivation.digest.as_ref().map(|digest| DigestRecord {
        prefix: teller.text(&digest.prefix),
        digest: digest.digest.to_string(),
        files: digest
            .inputs
            .iter()
            .map(|input| DigestFile {
                path: teller.text(&input.path),
                id: input.id.as_deref().map(str::to_owned),
            })
            .collect(),
    });
    CacheRecord {
        index: derivation.index,
        at: teller.at(derivation.span),
        digest,
        created: teller.text(&derivation.created),
        suffixed: teller.text(&derivation.suffixed),
        references: derivation
            .references
            .iter()
            .map(|one| reference(one, teller))
            .collect(),
        key: derivation.key.as_ref().ok().map(|key| teller.text(key)),
        state,
        reason: reason.map(|reason| teller.text(&reason)),
    }
}

fn reference(reference: &KeyReference, teller: &Teller<'_>) -> ReferenceRecord {
    let value = reference.value.as_deref().map(|value| {
        if teller.secrets.names(&reference.name) {
            MASKED.to_owned()
        } else {
            teller.text(value)
        }
    });
    ReferenceRecord {
        name: reference.name.to_string(),
        value,
        origin: reference.source.map(source),
    }
}

fn told_state(state: &Fact<CacheState>) -> (&'static str, Option<String>) {
    match state {
        Fact::Known(CacheState::Present) => ("present", None),
        Fact::Known(CacheState::Missing) => ("missing", None),
        Fact::Unknown(why) => ("unknown", Some(why.to_string())),
    }
}

fn unknown_key(why: &CacheMissReason) -> String {
    match why {
        CacheMissReason::Variable(name) => format!("${name} has no value before the job runs"),
        CacheMissReason::Files(why) => format!("its files cannot be read: {why}"),
        CacheMissReason::Unusable => "nothing usable is left of the key".to_owned(),
    }
}
