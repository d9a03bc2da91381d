//! Addresses of components: `host/group/project/name@version` (reference `config.md` §4.7).

/// A component's address taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address<'a> {
    /// Full path of its project.
    pub(super) project: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// The version asked for.
    pub(super) version: &'a str,
}

impl<'a> Address<'a> {
    /// The parts of an address on the server `host`, or `None` where it is not one.
    pub(super) fn parse(text: &'a str, host: &str) -> Option<Address<'a>> {
        let path = text.strip_prefix(host)?.strip_prefix('/')?;
        let (path, version) = path.split_once('@')?;
        let (project, name) = path.rsplit_once('/')?;
        let complete = !project.is_empty() && !name.is_empty() && !version.is_empty();
        complete.then_some(Address {
            project,
            name,
            version,
        })
    }

    /// Versions only a catalog can resolve: `~latest`, `1`, `1.2`.
    pub(super) fn is_partial(&self) -> bool {
        let mut parts = self.version.split('.');
        let number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.clone().count() <= 2 && parts.all(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_project_component_and_version() {
        let address = Address::parse("h.org/g/s/p/lint@1.2@x", "h.org").unwrap();
        assert_eq!(
            (address.project, address.name, address.version),
            ("g/s/p", "lint", "1.2@x")
        );
        assert!(!address.is_partial());
        assert!(Address::parse("h/p/c@1.2", "h").unwrap().is_partial());
    }

    #[test]
    fn what_lacks_host_or_version_is_no_address() {
        for text in [
            "h.org/g/p/lint",
            "other/g/p/lint@1",
            "h.orgx/g/p@1",
            "h.org/lint@1",
            "h.org/g/p/l@",
        ] {
            assert_eq!(Address::parse(text, "h.org"), None, "{text}");
        }
    }
}
