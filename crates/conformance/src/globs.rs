//! `globs.jsonl`: path patterns of `changes` and `exists`.

use serde_json::Value as Json;
use tidegate_glob::Fnmatch;

use crate::score::expect;

/// Judges one line.
pub fn judge(case: &Json) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let glob = Fnmatch::new(text("pattern")).map_err(|_| "too many alternatives".to_owned())?;
    let matches = glob.matches(text("path"));
    expect("the match", Some(matches), case["result"].as_bool())
}
