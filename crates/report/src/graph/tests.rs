use insta::assert_snapshot;
use tidegate_pipeline::{Alternatives, NeedEntry, Pick};
use tidegate_plan::NeedTrial;
use tidegate_source::Span;

use super::layout::layout;
use super::*;
use crate::Style;
use crate::testing::Draft;

/// Twelve jobs with everything that is drawn differently.
fn twelve() -> Draft {
    let mut draft = Draft::new(&["build", "test", "deploy", "empty"]);
    draft.job("deps", "build");
    draft.satisfy("deps");
    draft.needing("compile", "build", &["deps"]);
    draft.job("docs", "build");
    draft.needing("unit: [linux, x64]", "test", &["compile"]);
    draft.needing("unit: [mac, arm]", "test", &["compile"]);
    draft.needing("lint", "test", &[]);
    draft.needing("e2e", "test", &["compile", "docs"]);
    draft.job("audit", "test").allow_failure.always = true;
    draft.job("deploy", "deploy").when = When::Manual;
    let any = Alternatives {
        jobs: vec![
            draft.need("unit: [linux, x64]"),
            draft.need("unit: [mac, arm]"),
        ],
        min: 1,
        wait: Wait::First,
        pick: Pick::First,
    };
    draft.needing("publish", "deploy", &["docs"]);
    let publish = draft.pipeline.jobs.last_mut().expect("just added");
    publish
        .needs
        .get_or_insert_default()
        .push(NeedEntry::Any(any));
    draft.needing("smoke", "deploy", &["deploy"]).when = When::OnFailure;
    draft.job("notify", "deploy");
    let optional = |name: &str, fate| NeedTrial {
        name: name.into(),
        span: Span::NONE,
        artifacts: true,
        optional: true,
        entry: 0,
        fate,
    };
    draft.trace("e2e").needs = vec![
        optional("docs", NeedFate::Present),
        optional("nightly", NeedFate::AbsentOptional),
    ];
    draft
}

/// A pipeline of `count` jobs in `stages` stages with about two needs a job, always the same.
fn many(count: usize, stages: usize) -> Draft {
    let names: Vec<String> = (0..stages).map(|stage| format!("stage-{stage}")).collect();
    let mut draft = Draft::new(&names.iter().map(|name| &**name).collect::<Vec<_>>());
    let mut seed = 7u64;
    let mut next = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let per_stage = count.div_ceil(stages);
    for at in 0..count {
        let stage = at / per_stage;
        let name = format!("job-{at}{}", "-part".repeat(next(3)));
        if stage == 0 || next(6) == 0 {
            draft.job(&name, &names[stage]);
            continue;
        }
        let earlier = stage * per_stage;
        let from = if next(4) == 0 {
            0
        } else {
            (stage - 1) * per_stage
        };
        let mut needs: Vec<String> = (0..1 + next(3))
            .map(|_| {
                draft.pipeline.jobs[from + next(earlier - from)]
                    .name
                    .to_string()
            })
            .collect();
        needs.dedup();
        draft.needing(
            &name,
            &names[stage],
            &needs.iter().map(|name| &**name).collect::<Vec<_>>(),
        );
    }
    draft
}

fn graph(draft: Draft) -> Graph {
    Graph::of_plan(&draft.plan()).expect("the plan has a pipeline")
}

#[test]
fn a_terminal_shows_stages_and_needs() {
    assert_snapshot!(graph_text(&graph(twelve()), Style::Plain), @"
    build
      deps                satisfied
      compile                         ← deps (satisfied)
      docs
    test
      unit: [linux, x64]              ← compile
      unit: [mac, arm]                ← compile
      lint                            starts at once
      e2e                             ← compile, docs (optional), nightly (absent)
      audit               may fail
    deploy
      deploy              manual
      publish                         ← docs, any of (unit: [linux, x64] | unit: [mac, arm])
      smoke               on failure  ← deploy
      notify
    ");
}

#[test]
fn mermaid_and_dot_tell_needs_apart() {
    let graph = graph(twelve());
    assert_snapshot!(graph_mermaid(&graph), @r#"
    flowchart LR
      subgraph s0["build"]
        j0["deps<br/><small>satisfied</small>"]:::satisfied
        j1["compile"]
        j2["docs"]
      end
      subgraph s1["test"]
        j3["unit: #91;linux, x64#93;"]
        j4["unit: #91;mac, arm#93;"]
        j5["lint"]
        j6["e2e"]
        j7["audit<br/><small>may fail</small>"]
      end
      subgraph s2["deploy"]
        j8["deploy<br/><small>manual</small>"]:::manual
        j9["publish"]
        j10["smoke<br/><small>on failure</small>"]
        j11["notify"]
      end
      j0 --> j1
      j1 --> j3
      j1 --> j4
      j1 --> j6
      j2 -. optional .-> j6
      j2 --> j9
      a9_1{"any 1"} --> j9
      j3 -.-> a9_1
      j4 -.-> a9_1
      j8 --> j10
      s0 ==> s1
      s1 ==> s2
      classDef satisfied stroke:#2f8f46,stroke-dasharray:2 3
      classDef manual stroke:#8a6d1f,stroke-dasharray:5 3
    "#);
    assert_snapshot!(graph_dot(&graph), @r##"
    digraph pipeline {
      rankdir=LR;
      compound=true;
      node [shape=box, style=rounded, fontname="monospace"];
      subgraph cluster_0 {
        label="build";
        j0 [label="deps\nsatisfied", style="rounded,dashed", color="#2f8f46"];
        j1 [label="compile"];
        j2 [label="docs"];
      }
      subgraph cluster_1 {
        label="test";
        j3 [label="unit: [linux, x64]"];
        j4 [label="unit: [mac, arm]"];
        j5 [label="lint"];
        j6 [label="e2e"];
        j7 [label="audit\nmay fail"];
      }
      subgraph cluster_2 {
        label="deploy";
        j8 [label="deploy\nmanual", style="rounded,dashed", color="#8a6d1f"];
        j9 [label="publish"];
        j10 [label="smoke\non failure"];
        j11 [label="notify"];
      }
      j0 -> j1;
      j1 -> j3;
      j1 -> j4;
      j1 -> j6;
      j2 -> j6 [style=dashed, label="optional"];
      j2 -> j9;
      a9_1 [shape=diamond, style=solid, label="any 1"];
      a9_1 -> j9;
      j3 -> a9_1 [style=dotted];
      j4 -> a9_1 [style=dotted];
      j8 -> j10;
      j0 -> j7 [ltail=cluster_0, lhead=cluster_1, style=bold];
      j3 -> j8 [ltail=cluster_1, lhead=cluster_2, style=bold];
    }
    "##);
}

#[test]
fn no_two_boxes_of_two_hundred_overlap_and_lines_pass_between_them() {
    for (count, stages) in [(12, 3), (60, 5), (200, 8), (200, 1), (97, 2)] {
        let graph = graph(many(count, stages));
        let layout = layout(&graph);
        for (at, one) in layout.jobs.iter().enumerate() {
            for other in layout.jobs.iter().skip(at + 1) {
                let beside = one.x + one.width < other.x || other.x + other.width < one.x;
                let below = one.y + one.height < other.y || other.y + other.height < one.y;
                assert!(beside || below, "{one:?} {other:?}");
            }
            assert!(one.x + one.width < layout.width && one.y + one.height < layout.height);
        }
        for route in &layout.routes {
            // Inside columns lines are level: their points come in pairs after the first.
            for pair in route[1..route.len() - 1].chunks(2) {
                let y = pair[0].1;
                for place in &layout.jobs {
                    let crosses = place.x < pair[1].0 && place.x + place.width > pair[0].0;
                    let inside = place.y < y && y < place.y + place.height;
                    assert!(!(crosses && inside), "a line runs through a box");
                }
            }
        }
    }
}

#[test]
fn jobs_of_one_stage_that_need_each_other_stand_side_by_side() {
    let mut draft = Draft::new(&["test"]);
    draft.job("a", "test");
    draft.needing("b", "test", &["a"]);
    draft.needing("c", "test", &["b"]);
    let layout = layout(&graph(draft));
    assert!(layout.jobs[0].x < layout.jobs[1].x && layout.jobs[1].x < layout.jobs[2].x);
}

#[test]
fn names_cannot_break_out_of_any_format() {
    let mut draft = Draft::new(&["<s>\"&"]);
    draft.job("a\"];\n<script>alert('1')</script>\\", "<s>\"&");
    let graph = graph(draft);
    let svg = graph_svg(&graph);
    assert!(!svg.contains("<script") && !svg.contains("<s>"), "{svg}");
    assert!(svg.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{svg}");
    let dot = graph_dot(&graph);
    assert!(
        dot.contains(r#"j0 [label="a\"];\n<script>alert('1')</script>\\"];"#),
        "{dot}"
    );
    let mermaid = graph_mermaid(&graph);
    assert!(
        mermaid.contains(r#"j0["a#34;#93;#59; #60;script#62;alert('1')"#),
        "{mermaid}"
    );
    let text = graph_text(&graph, Style::Plain);
    assert!(text.contains("a\"];\\n<script>"), "{text}");
}

#[test]
fn nothing_is_drawn_of_a_cycle_twice_and_nothing_hangs() {
    let mut draft = Draft::new(&["test"]);
    draft.job("a", "test");
    draft.needing("b", "test", &["a"]);
    let back = draft.need("b");
    draft.pipeline.jobs[0].needs = Some(vec![NeedEntry::Job(back)]);
    assert!(graph_svg(&graph(draft)).contains("</svg>"));
}

#[test]
fn a_picture_has_a_legend_for_what_it_shows_only() {
    let svg = graph_svg(&graph(twelve()));
    for text in [
        "optional need",
        "any of several",
        "satisfied, does not run",
        "manual or delayed",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    let mut draft = Draft::new(&["test"]);
    draft.job("a", "test");
    assert!(!graph_svg(&graph(draft)).contains("legend\">"));
}
