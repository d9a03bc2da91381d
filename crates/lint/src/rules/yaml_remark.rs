//! What the rules about YAML share: remarks of one kind.

use rustc_hash::FxHashSet;
use tidegate_source::Span;
use tidegate_yaml::RemarkKind;

use crate::subject::Subject;

/// Places of remarks that `wanted` gives something for, each once.
pub(super) fn of_kind<T>(
    subject: &Subject<'_>,
    wanted: impl Fn(RemarkKind) -> Option<T>,
) -> Vec<(Span, T)> {
    let mut all: Vec<(Span, T)> = Vec::new();
    let mut seen = FxHashSet::default();
    for remark in subject.remarks() {
        if let Some(more) = wanted(remark.kind)
            && seen.insert(remark.span)
        {
            all.push((remark.span, more));
        }
    }
    all
}
