//! For a job that is out: the rule that came nearest to letting it in, and what would have to differ.

use tidegate_config::{Rule, RuleWhen};
use tidegate_scenario::WorldError;

use crate::cache_clause::CacheView;
use crate::rules::judge_all_clauses;
use crate::scope::Scope;
use crate::sink::Kept;
use crate::trace::UnmetRule;

/// The rule that would let the job in with the fewest clauses changed; the first of equals. `None` where no rule would.
pub(crate) fn nearest_rule(
    rules: &[Rule],
    scope: &Scope<'_>,
) -> Result<Option<UnmetRule>, WorldError> {
    let mut best: Option<(usize, UnmetRule)> = None;
    let mut blocked_by = None;
    for (at, rule) in rules.iter().enumerate() {
        let at = at as u32;
        let mut kept = Kept::default();
        judge_all_clauses(rule, scope, &mut CacheView::of_job(scope), &mut kept)?;
        let clauses = kept.into_clauses();
        let failing = clauses.iter().filter(|c| !c.outcome.holds()).count();
        if is_never(rule) {
            if failing == 0 {
                blocked_by = blocked_by.or(Some(at));
            }
            continue;
        }
        // A matching `never` before it counts as one more thing to change.
        let distance = failing + usize::from(blocked_by.is_some());
        if best.as_ref().is_none_or(|(known, _)| distance < *known) {
            let unmet = UnmetRule {
                rule: at,
                clauses,
                blocked_by,
            };
            best = Some((distance, unmet));
        }
    }
    Ok(best.map(|(_, unmet)| unmet))
}

fn is_never(rule: &Rule) -> bool {
    rule.when.is_some_and(|when| when.value == RuleWhen::Never)
}
