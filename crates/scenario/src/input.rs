//! Values of pipeline inputs.

/// The value of an input as given from outside; its type is what the giver wrote, not what `spec:inputs` declares.
#[derive(Clone, PartialEq, Debug)]
pub enum InputValue {
    /// Nothing; counts as not given.
    Null,
    /// A text; from the command line every value is one.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A list.
    List(Vec<InputValue>),
    /// A mapping; only possible inside lists.
    Map(Vec<(String, InputValue)>),
}
