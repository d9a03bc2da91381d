//! Cases of kind `glob` (`corpus/FORMAT.md` §5).

use serde_json::Value as Json;
use tidegate_glob::Fnmatch;

pub(super) fn judge(case: &Json) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let glob = Fnmatch::new(text("pattern")).map_err(|error| format!("{error:?}"))?;
    let found = Json::Bool(glob.matches(text("path")));
    super::compare::compare("match", &case["expect"]["match"], &found)
}
