//! Scenarios and facts as JSON: what a recording of a plan holds.
//!
//! The types here are the format; they mirror [`Scenario`](crate::Scenario) and [`Facts`](crate::Facts) by hand so that the
//! models may change without the format. Whoever keeps them in a document gives that document a version.

mod content;
mod fact;
mod facts;
mod input;
mod scenario;
mod variable;

pub use content::ContentRecord;
pub use facts::FactsRecord;
pub use scenario::ScenarioRecord;

/// A record that cannot be made into what it records; the text says what is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableRecord(pub String);

/// A word of the format for each variant of a model's enum.
macro_rules! words {
    ($(#[$about:meta])* $name:ident of $model:ty { $($variant:ident),* $(,)? }) => {
        $(#[$about])*
        #[derive(serde::Serialize, serde::Deserialize, Clone, Copy, Debug)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($variant),*
        }

        impl $name {
            pub(super) fn of(model: $model) -> $name {
                match model {
                    $(<$model>::$variant => $name::$variant),*
                }
            }

            pub(super) fn model(self) -> $model {
                match self {
                    $($name::$variant => <$model>::$variant),*
                }
            }
        }
    };
}
use words;

#[cfg(test)]
mod tests;
