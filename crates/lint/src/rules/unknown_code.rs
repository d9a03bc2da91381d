//! L100: a comment `# tidegate: allow …` that names a code nobody has, or none.
//!
//! Why it bites: the finding that was meant stays, or a comment outlives its rule.
//!
//! How to mend it: one of the codes of `docs/lint.md`.

use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    crate::unknown_codes(subject.sources(), found);
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn codes_nobody_has_are_found() {
        let text = "j: # tidegate: allow L005, L099\n  script: x\n";
        check("L100", text, &["L099"]);
    }
}
