//! How a cache key came about, line by line.

use super::Page;
use crate::explain::record::CacheRecord;
use crate::look::Mark;
use crate::one_line::{one_line, quoted};

impl Page {
    pub(super) fn cache(&mut self, cache: &CacheRecord) {
        let (mark, state) = match cache.state {
            "present" => (Mark::Yes, "is present"),
            "missing" => (Mark::No, "is missing"),
            "unknown" => (Mark::Note, "cannot be known"),
            _ => (Mark::NotTried, "was not asked for"),
        };
        let mark = self.look.mark(mark);
        let key = cache
            .key
            .as_ref()
            .map_or_else(String::new, |key| format!(", key {}", self.value(key)));
        let why = cache
            .reason
            .as_ref()
            .map_or_else(String::new, |why| format!(": {}", one_line(why)));
        let at = self.place(cache.at.as_deref());
        self.line(
            4,
            &format!("{mark} cache {}{key} {state}{why}{at}", cache.index + 1),
        );
        if let Some(digest) = &cache.digest {
            for file in &digest.files {
                let id = file.id.as_deref().unwrap_or("does not exist");
                self.line(
                    8,
                    &format!("file      {}  {}", one_line(&file.path), self.dim(id)),
                );
            }
            self.line(8, &format!("digest    {}", digest.digest));
        }
        self.line(8, &format!("created   {}", self.value(&cache.created)));
        if cache.suffixed != cache.created {
            self.line(8, &format!("suffixed  {}", self.value(&cache.suffixed)));
        }
        for reference in &cache.references {
            let value = match &reference.value {
                Some(value) => format!("is {}", self.value(&quoted(value))),
                None => "has no value before the job runs".to_owned(),
            };
            let origin = self.origin(reference.origin.as_ref());
            self.line(
                8,
                &format!("${} {value}{origin}", one_line(&reference.name)),
            );
        }
        if let Some(key) = cache.key.as_ref().filter(|key| **key != cache.suffixed) {
            self.line(8, &format!("final     {}", self.value(key)));
        }
    }
}
