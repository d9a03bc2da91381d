//! Where in the configuration a message belongs: `jobs:rspec:script`.

use std::fmt;

/// A location as GitLab words it, kept as a chain on the stack so that valid entries cost nothing
/// (reference `config.md` §8.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    key: &'a str,
}

impl<'a> Place<'a> {
    /// A place below nothing, such as `workflow`.
    pub(crate) const fn top(key: &'a str) -> Place<'a> {
        Place { parent: None, key }
    }

    /// The place `key` below `parent`, or at the top where there is none.
    pub(crate) fn below(parent: Option<&'a Place<'a>>, key: &'a str) -> Place<'a> {
        Place { parent, key }
    }

    /// The place `key` below this one.
    pub(crate) fn child<'b>(&'b self, key: &'b str) -> Place<'b>
    where
        'a: 'b,
    {
        Place {
            parent: Some(self),
            key,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}:")?;
        }
        f.write_str(self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_join_their_keys_with_colons() {
        let jobs = Place::top("jobs");
        let job = jobs.child("a:b");
        assert_eq!(job.child("script").to_string(), "jobs:a:b:script");
    }
}
