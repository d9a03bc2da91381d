//! `run`, the steps experiment (reference `config.md` §9.19).

use tidegate_yaml::Node;

use super::schema::{Additional, Schema};
use crate::typed::Check;

const NAME: Schema = Schema {
    pattern: Some("^[a-zA-Z_][a-zA-Z0-9_]*$"),
    ..Schema::STRING
};
static TEXT: Schema = Schema::STRING;
const ENV: Schema = Schema {
    types: &["object"],
    additional: Additional::Each(&TEXT),
    ..Schema::ANY
};
const INPUTS: Schema = Schema {
    types: &["object"],
    ..Schema::ANY
};
const GIT: Schema = Schema {
    required: &["url", "rev"],
    ..Schema::object(&[
        ("url", Schema::STRING),
        ("dir", Schema::STRING),
        ("rev", Schema::STRING),
        ("file", Schema::STRING),
    ])
};
const OCI: Schema = Schema {
    required: &["registry", "repository", "tag"],
    ..Schema::object(&[
        ("registry", Schema::STRING),
        ("repository", Schema::STRING),
        ("tag", Schema::STRING),
        ("dir", Schema::STRING),
        ("file", Schema::STRING),
    ])
};
const REFERENCE: Schema = Schema {
    one_of: &[
        Schema::STRING,
        Schema {
            required: &["git"],
            ..Schema::object(&[("git", GIT)])
        },
        Schema {
            required: &["oci"],
            ..Schema::object(&[("oci", OCI)])
        },
    ],
    ..Schema::ANY
};

static STEP: Schema = Schema {
    one_of: &[
        Schema {
            one_of: &[
                Schema {
                    required: &["step"],
                    ..Schema::ANY
                },
                Schema {
                    required: &["func"],
                    ..Schema::ANY
                },
            ],
            required: &["name"],
            ..Schema::object(&[
                ("name", NAME),
                ("env", ENV),
                ("inputs", INPUTS),
                ("step", REFERENCE),
                ("func", REFERENCE),
            ])
        },
        Schema {
            required: &["name", "script"],
            ..Schema::object(&[("name", NAME), ("env", ENV), ("script", Schema::STRING)])
        },
    ],
    ..Schema::ANY
};

static STEPS: Schema = Schema {
    types: &["array"],
    items: Some(&STEP),
    ..Schema::ANY
};

/// Checks the steps of a job.
pub(crate) fn run(check: &mut Check<'_>, node: &Node) {
    for error in STEPS.errors(node) {
        check.fault_at(node.span, format_args!("run {error}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn steps_are_held_against_their_schema() {
        check(
            "j: {run: [{script: b}]}",
            &[
                "jobs:j run object at `/0` is missing required properties: step",
                "jobs:j run object at `/0` is missing required properties: func",
                "jobs:j run object property at `/0/script` is a disallowed additional property",
                "jobs:j run object at `/0` is missing required properties: name",
                "jobs:j run object at `/0` is missing required properties: name",
            ],
        );
        check(
            "j: {run: [{name: a, script: b, step: c}]}",
            &[
                "jobs:j run object property at `/0/script` is a disallowed additional property",
                "jobs:j run object property at `/0/step` is a disallowed additional property",
            ],
        );
        check(
            "j: {run: [{name: a, step: ./x, foo: 1}]}",
            &[
                "jobs:j run object property at `/0/foo` is a disallowed additional property",
                "jobs:j run object property at `/0/step` is a disallowed additional property",
                "jobs:j run object property at `/0/foo` is a disallowed additional property",
                "jobs:j run object at `/0` is missing required properties: script",
            ],
        );
    }
}
