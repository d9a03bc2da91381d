//! How a value stands in the format: [`Mirrored`], and the macros that mirror records and words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A type of the model with its counterpart in the format.
pub(super) trait Mirrored: Sized {
    /// The counterpart.
    type Wire: Serialize + for<'de> Deserialize<'de>;
    /// The value as it is written.
    fn wire(&self) -> Self::Wire;
    /// The value that was written; `None` where it holds a word this version does not know.
    fn model(wire: Self::Wire) -> Option<Self>;
}

/// Mirrors a struct field by field: the format has a struct of its own, with the same names.
macro_rules! record {
    ($model:ident as $wire:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) struct $wire {
            $($field: <$type as Mirrored>::Wire),+
        }

        impl Mirrored for $model {
            type Wire = $wire;

            fn wire(&self) -> $wire {
                // Without `..`: a new field of the model must find its place here.
                let $model { $($field),+ } = self;
                $wire { $($field: Mirrored::wire($field)),+ }
            }

            fn model(wire: $wire) -> Option<$model> {
                Some($model { $($field: <$type as Mirrored>::model(wire.$field)?),+ })
            }
        }
    };
}

/// Mirrors an enum without values by words.
macro_rules! words {
    ($model:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl Mirrored for $model {
            type Wire = String;

            fn wire(&self) -> String {
                match self { $($model::$variant => $word),+ }.to_owned()
            }

            fn model(wire: String) -> Option<$model> {
                match &*wire {
                    $($word => Some($model::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(super) use {record, words};

/// Mirrors types that are written as they are.
macro_rules! plain {
    ($($type:ty),+) => {
        $(impl Mirrored for $type {
            type Wire = $type;

            fn wire(&self) -> $type {
                self.clone()
            }

            fn model(wire: $type) -> Option<$type> {
                Some(wire)
            }
        })+
    };
}

plain!(bool, u32, u64, i64, String);

impl Mirrored for Arc<str> {
    type Wire = String;

    fn wire(&self) -> String {
        self.to_string()
    }

    fn model(wire: String) -> Option<Arc<str>> {
        Some(wire.into())
    }
}

/// Milliseconds.
impl Mirrored for Duration {
    type Wire = u64;

    fn wire(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }

    fn model(wire: u64) -> Option<Duration> {
        Some(Duration::from_millis(wire))
    }
}

impl<T: Mirrored> Mirrored for Option<T> {
    type Wire = Option<T::Wire>;

    fn wire(&self) -> Self::Wire {
        self.as_ref().map(Mirrored::wire)
    }

    fn model(wire: Self::Wire) -> Option<Self> {
        match wire {
            Some(wire) => T::model(wire).map(Some),
            None => Some(None),
        }
    }
}

impl<T: Mirrored> Mirrored for Vec<T> {
    type Wire = Vec<T::Wire>;

    fn wire(&self) -> Self::Wire {
        self.iter().map(Mirrored::wire).collect()
    }

    fn model(wire: Self::Wire) -> Option<Self> {
        wire.into_iter().map(T::model).collect()
    }
}

impl<A: Mirrored, B: Mirrored> Mirrored for (A, B) {
    type Wire = (A::Wire, B::Wire);

    fn wire(&self) -> Self::Wire {
        (self.0.wire(), self.1.wire())
    }

    fn model(wire: Self::Wire) -> Option<Self> {
        Some((A::model(wire.0)?, B::model(wire.1)?))
    }
}

/// A list of pairs, in order.
impl<T: Mirrored> Mirrored for BTreeMap<Arc<str>, T> {
    type Wire = Vec<(String, T::Wire)>;

    fn wire(&self) -> Self::Wire {
        let pair = |(key, value): (&Arc<str>, &T)| (key.to_string(), value.wire());
        self.iter().map(pair).collect()
    }

    fn model(wire: Self::Wire) -> Option<Self> {
        let pair = |(key, value): (String, T::Wire)| Some((key.into(), T::model(value)?));
        wire.into_iter().map(pair).collect()
    }
}
