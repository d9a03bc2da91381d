//! Versions of components, resolved with the tags of their repository (reference `config.md` §4.7).

/// A tag and the commit it stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) sha: String,
}

/// What a version reference asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted<'a> {
    /// The highest release: `~latest`, or `1` and `1.2` with their numbers.
    Release(&'a str),
    /// A tag, branch or commit by its name.
    Name(&'a str),
}

impl<'a> Wanted<'a> {
    /// Reads a version reference.
    pub(crate) fn of(version: &'a str) -> Wanted<'a> {
        if version == "~latest" {
            return Wanted::Release("");
        }
        let numbers: Vec<&str> = version.split('.').collect();
        let partial = numbers.len() <= 2 && numbers.iter().all(|part| is_number(part));
        match partial {
            true => Wanted::Release(version),
            false => Wanted::Name(version),
        }
    }
}

/// The highest release among `tags` whose version begins with the numbers of `partial`; pre-releases are none.
pub(crate) fn highest<'a>(tags: &'a [Tag], partial: &str) -> Option<&'a Tag> {
    let wanted: Vec<u64> = partial
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    let release = |tag: &'a Tag| {
        let version = Version::parse(&tag.name).filter(|version| !version.pre_release)?;
        version
            .numbers
            .starts_with(&wanted)
            .then_some((version.numbers, tag))
    };
    let releases = tags.iter().filter_map(release);
    // Of `1.0.0` and `v1.0.0` the tag that sorts last is taken, so that the choice does not depend on their order.
    let best = releases.max_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
    best.map(|(_, tag)| tag)
}

/// Whether a tag can be a release in the catalog: a semantic version, with or without `v`.
pub(crate) fn is_release(tag: &str) -> bool {
    Version::parse(tag).is_some()
}

struct Version {
    numbers: [u64; 3],
    pre_release: bool,
}

impl Version {
    fn parse(tag: &str) -> Option<Version> {
        let text = tag.strip_prefix('v').unwrap_or(tag);
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let mut parts = core.split('.');
        let mut number = || parts.next().filter(|part| is_number(part))?.parse().ok();
        let numbers = [number()?, number()?, number()?];
        let identifiers = |text: &str| {
            text.split('.').all(|part| {
                let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
                !part.is_empty() && part.chars().all(allowed)
            })
        };
        let well_formed =
            parts.next().is_none() && [pre, build].into_iter().flatten().all(identifiers);
        well_formed.then_some(Version {
            numbers,
            pre_release: pre.is_some(),
        })
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(tags: &[&str], version: &str) -> Option<String> {
        let tags: Vec<Tag> = tags
            .iter()
            .map(|name| Tag {
                name: (*name).to_owned(),
                sha: String::new(),
            })
            .collect();
        match Wanted::of(version) {
            Wanted::Release(partial) => highest(&tags, partial).map(|tag| tag.name.clone()),
            Wanted::Name(name) => Some(format!("name {name}")),
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_pre_releases_left_out() {
        let tags = [
            "1.2.0",
            "1.10.0",
            "v2.0.0-rc.1",
            "v1.10.1",
            "0.9",
            "nightly",
            "10.0.0",
        ];
        assert_eq!(chosen(&tags, "~latest").as_deref(), Some("10.0.0"));
        assert_eq!(chosen(&tags, "1").as_deref(), Some("v1.10.1"));
        assert_eq!(chosen(&tags, "1.2").as_deref(), Some("1.2.0"));
        assert_eq!(chosen(&tags, "2"), None);
        assert_eq!(chosen(&["nightly"], "~latest"), None);
    }

    #[test]
    fn everything_else_is_a_name() {
        for name in ["1.2.3", "v1", "main", "1.x", "~lates", ""] {
            assert_eq!(chosen(&[], name), Some(format!("name {name}")));
        }
    }

    #[test]
    fn releases_are_semantic_versions() {
        for tag in ["1.2.3", "v1.2.3", "1.2.3-rc.1+build.5"] {
            assert!(is_release(tag), "{tag}");
        }
        for tag in ["1.2", "1.2.3.4", "1.2.3-", "1.2.x", "vv1.2.3", "1.2.3+"] {
            assert!(!is_release(tag), "{tag}");
        }
    }
}
