//! Random pipelines with random outcomes, beside a model that rescans everything on every event.

mod machine;
mod naive;
mod random;

use std::sync::Arc;

use proptest::prelude::*;
use tidegate_pipeline::{FailureReason, JobIdx, Pipeline, Status};
use tidegate_schedule::{Input, Schedule};

use machine::Machine;
use naive::Naive;
use random::{pipelines, plain_pipelines};

/// A random input that is legal now: mostly what executors report, sometimes what people do.
fn some_input(machine: &Machine, choice: u32) -> Option<Input> {
    let reports = machine.reports(choice);
    let wishes = machine.wishes();
    let from = match (
        choice.is_multiple_of(5),
        reports.is_empty(),
        wishes.is_empty(),
    ) {
        (_, true, true) => return None,
        (true, _, false) | (_, true, false) => wishes,
        _ => reports,
    };
    from.get(choice as usize / 5 % from.len()).cloned()
}

/// Applies an input to both and compares them.
fn step(machine: &mut Machine, naive: &mut Naive, input: Input) -> Result<(), TestCaseError> {
    machine.apply(input.clone());
    naive.apply(&input);
    naive.settle();
    let context = format!("after {input:?}\nof {:#?}", machine.inputs);
    prop_assert_eq!(machine.statuses(), naive.statuses(), "{}", context);
    prop_assert_eq!(
        machine.schedule.pipeline_status(),
        naive.pipeline_status,
        "pipeline {}",
        &context
    );
    for (at, status) in naive.stage_statuses.iter().enumerate() {
        let stage = tidegate_pipeline::StageIdx(at as u32);
        prop_assert_eq!(
            machine.schedule.stage_status(stage),
            *status,
            "{}",
            &context
        );
    }
    prop_assert_eq!(
        &machine.told,
        &machine.statuses(),
        "told statuses {}",
        &context
    );
    Ok(())
}

/// Runs everything that is at work to its end.
fn drain(machine: &mut Machine, naive: &mut Naive) -> Result<(), TestCaseError> {
    for _ in 0..10_000 {
        match machine.reports(0).into_iter().next() {
            Some(input) => step(machine, naive, input)?,
            None => return Ok(()),
        }
    }
    Err(TestCaseError::fail("the pipeline never comes to rest"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_machine_agrees_with_a_full_rescan_after_every_input(
        pipeline in pipelines(),
        choices in proptest::collection::vec(any::<u32>(), 0..60),
    ) {
        let pipeline = Arc::new(pipeline);
        let mut machine = Machine::new(Arc::clone(&pipeline));
        let mut naive = Naive::new(Arc::clone(&pipeline));
        step(&mut machine, &mut naive, Input::Start)?;
        for choice in choices {
            let Some(input) = some_input(&machine, choice) else { break };
            step(&mut machine, &mut naive, input)?;
        }
        drain(&mut machine, &mut naive)?;

        // Never stuck: what is left waits for a person, or behind somebody who does.
        let schedule = &machine.schedule;
        prop_assert!(schedule.is_quiet(), "{:?} after {:#?}", machine.statuses(), machine.inputs);
        for (job, _) in pipeline.indexed() {
            match schedule.status(job) {
                Status::Created => prop_assert!(naive.waits_for_person(job), "{job:?} is stuck"),
                status => prop_assert!(status.is_complete() || status == Status::Manual),
            }
        }
        prop_assert_eq!(
            schedule.is_over(),
            machine.statuses().iter().all(|status| status.is_complete())
        );

        // Replaying is the only way to get to a state, and gets there.
        let again = Schedule::replay(Arc::clone(&pipeline), machine.inputs.clone());
        let again = again.expect("inputs that were legal");
        prop_assert_eq!(format!("{again:?}"), format!("{schedule:?}"));
    }

    #[test]
    fn outcomes_decide_the_end_whatever_their_order(
        pipeline in plain_pipelines(),
        outcomes in any::<u64>(),
        first in proptest::collection::vec(any::<u32>(), 80),
        second in proptest::collection::vec(any::<u32>(), 80),
    ) {
        let pipeline = Arc::new(pipeline);
        let end = |order: &[u32]| {
            let mut machine = Machine::new(Arc::clone(&pipeline));
            machine.apply(Input::Start);
            for at in 0.. {
                let choice = order.get(at).copied().unwrap_or(0);
                let inputs = machine.outcomes(outcomes);
                if inputs.is_empty() { break }
                machine.apply(inputs[choice as usize % inputs.len()].clone());
            }
            (machine.statuses(), machine.schedule.pipeline_status())
        };
        prop_assert_eq!(end(&first), end(&second));
    }

    #[test]
    fn a_refused_input_changes_nothing(
        pipeline in pipelines(),
        choices in proptest::collection::vec(any::<u32>(), 0..20),
        nonsense in proptest::collection::vec((any::<u32>(), 0u32..10), 1..20),
    ) {
        let pipeline = Arc::new(pipeline);
        let mut machine = Machine::new(Arc::clone(&pipeline));
        machine.apply(Input::Start);
        for choice in choices {
            let Some(input) = some_input(&machine, choice) else { break };
            machine.apply(input);
        }
        for (kind, job) in nonsense {
            let mut schedule = machine.schedule.clone();
            let input = any_input(kind, JobIdx(job), &pipeline, &schedule);
            if let Err(error) = schedule.apply(input.clone()) {
                prop_assert_eq!(format!("{schedule:?}"), format!("{:?}", machine.schedule));
                prop_assert!(error.to_string().contains(input.name()));
            }
        }
    }
}

fn any_input(kind: u32, job: JobIdx, pipeline: &Pipeline, schedule: &Schedule) -> Input {
    let attempt = if job.at() < pipeline.jobs.len() && !kind.is_multiple_of(3) {
        schedule.attempt(job)
    } else {
        tidegate_pipeline::Attempt(kind % 4)
    };
    match kind / 3 % 12 {
        0 => Input::Start,
        1 => Input::JobStarted { job, attempt },
        2 => Input::JobSucceeded { job, attempt },
        3 => Input::JobFailed {
            job,
            attempt,
            reason: FailureReason::ScriptFailure,
            exit_code: None,
        },
        4 => Input::JobCanceled { job, attempt },
        5 => Input::Play { job },
        6 => Input::Retry { job },
        7 => Input::Unschedule { job },
        8 => Input::DelayOver { job, attempt },
        9 => Input::ResourceGranted { job, attempt },
        10 => Input::DownstreamCreated { job, attempt },
        _ => Input::RunEnded,
    }
}
