//! One test: its steps one after another, in as many runs as there are orders and places of faults.

use std::fmt::Write as _;

use super::choices::Choices;
use super::expect::{Captures, Expect, check_any};
use super::file::{Test, TestFile};
use super::interleave;
use super::steps::{Action, Interleave, Place, RequestStep, Step};
use super::world::{On, Subject, World};
use crate::http::Answer;

/// Why a test has failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Where in the file.
    pub(super) line: usize,
    pub(super) text: String,
}

/// More orders of one interleaving than a reader could look through.
const MAX_RUNS: usize = 5_000;

/// Run a test; how many runs it took.
pub(super) async fn run(
    subject: &Subject,
    file: &TestFile,
    test: &Test,
    on: &On,
) -> Result<usize, Failure> {
    let broken = |error: anyhow::Error| Failure { line: test.line, text: format!("{error:#}") };
    let mut world = World::open(subject, file, on).await.map_err(broken)?;
    let outcome = run_all(&mut world, test).await;
    world.close().await.map_err(broken)?;
    outcome
}

async fn run_all(world: &mut World, test: &Test) -> Result<usize, Failure> {
    let mut choices = Choices::default();
    let mut runs = 0;
    loop {
        world.begin();
        let mut judged = true;
        for step in &test.steps {
            match run_step(world, step, &mut choices).await? {
                Done::Yes => {}
                Done::NoSuchPlace => {
                    judged = false;
                    break;
                }
            }
        }
        runs += usize::from(judged);
        if !choices.next() {
            return Ok(runs);
        }
        if runs >= MAX_RUNS {
            let text =
                format!("more than {MAX_RUNS} runs: state an order, or let fewer requests meet");
            return Err(Failure { line: test.line, text });
        }
    }
}

/// Whether a step was what it says.
enum Done {
    Yes,
    /// The request makes fewer storage calls than this run was to fail the last of.
    NoSuchPlace,
}

async fn run_step(world: &mut World, step: &Step, choices: &mut Choices) -> Result<Done, Failure> {
    let done = act(world, step, choices).await;
    done.map_err(|mut text| {
        if let Some(order) = &world.order {
            text.push_str("\n  ");
            text.push_str(order);
        }
        Failure { line: step.line, text }
    })
}

async fn act(world: &mut World, step: &Step, choices: &mut Choices) -> Result<Done, String> {
    match &step.action {
        Action::Advance(by) => {
            world.advance(*by);
            Ok(Done::Yes)
        }
        Action::Request(request) => run_request(world, request, choices).await,
        Action::Interleave(interleave) => {
            run_interleave(world, interleave, choices).await?;
            Ok(Done::Yes)
        }
    }
}

async fn run_request(
    world: &mut World,
    request: &RequestStep,
    choices: &mut Choices,
) -> Result<Done, String> {
    let shown = format!("{} {}", request.method, request.path);
    let failed = |why: String| format!("{shown}\n  {why}");
    let mut lane = world.send(request).await.map_err(|error| failed(format!("{error:#}")))?;
    let each = request.faults.iter().any(|fault| fault.at == Place::Each);
    let place = each.then(|| choices.take_open());
    place.into_iter().for_each(|place| lane.fail_at(place));
    let answer = lane.answer().await.map_err(failed)?;
    if let Some(missed) = lane.missed().next() {
        return match place {
            Some(1..) => {
                choices.close();
                Ok(Done::NoSuchPlace)
            }
            _ => Err(failed(format!("it makes no storage call for the fault {missed:?}"))),
        };
    }
    let differences = check_any(&request.expect, &answer, lane.runs, &mut world.captures);
    let mut differences = differences.map_err(failed)?;
    differences.extend(world.declared.differences(&answer));
    if differences.is_empty() {
        return Ok(Done::Yes);
    }
    let mut text = shown.clone();
    if let Some(place) = place {
        write!(text, ", failing at stop {}", place + 1).expect("a text takes all");
    }
    describe(&mut text, &differences, &[answer]);
    Err(text)
}

async fn run_interleave(
    world: &mut World,
    step: &Interleave,
    choices: &mut Choices,
) -> Result<(), String> {
    let interleaved = interleave::run(world, step, choices).await;
    let interleaved = interleaved.map_err(|error| format!("interleave\n  {error:#}"))?;
    world.order = Some(format!("in the order {:?}", interleaved.order));
    let missed = interleaved.lanes.iter().flat_map(|lane| lane.missed()).next();
    if let Some(missed) = missed {
        return Err(format!("interleave\n  no storage call is made for the fault {missed:?}"));
    }
    let runs: Vec<u32> = interleaved.lanes.iter().map(|lane| lane.runs).collect();
    let answers = interleaved.answers;
    let mut differences = if step.outcomes.is_empty() {
        check_own(step, &answers, &runs, &mut world.captures)?
    } else {
        check_outcomes(&step.outcomes, &answers, &runs, &mut world.captures)?
    };
    for (place, answer) in answers.iter().enumerate() {
        let of_one = world.declared.differences(answer);
        differences.extend(of_one.iter().map(|difference| format!("{}: {difference}", place + 1)));
    }
    if differences.is_empty() {
        return Ok(());
    }
    let mut text = "interleave".to_owned();
    describe(&mut text, &differences, &answers);
    Err(text)
}

/// Each by what its request expects.
fn check_own(
    step: &Interleave,
    answers: &[Answer],
    runs: &[u32],
    captures: &mut Captures,
) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for (place, (request, answer)) in step.requests.iter().zip(answers).enumerate() {
        let differences = check_any(&request.expect, answer, runs[place], captures)?;
        all.extend(differences.iter().map(|difference| format!("{}: {difference}", place + 1)));
    }
    Ok(all)
}

/// All together by one of the outcomes.
fn check_outcomes(
    outcomes: &[Vec<Expect>],
    answers: &[Answer],
    runs: &[u32],
    captures: &mut Captures,
) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for (number, outcome) in outcomes.iter().enumerate() {
        let mut tried = captures.clone();
        let mut differences = Vec::new();
        for (place, (expect, answer)) in outcome.iter().zip(answers).enumerate() {
            let of_one = expect.check(answer, runs[place], &mut tried)?;
            differences.extend(of_one.iter().map(|d| format!("{}: {d}", place + 1)));
        }
        if differences.is_empty() {
            *captures = tried;
            return Ok(Vec::new());
        }
        all.push(format!("not outcome {}:", number + 1));
        all.extend(differences);
    }
    Ok(all)
}

fn describe(text: &mut String, differences: &[String], answers: &[Answer]) {
    for difference in differences {
        write!(text, "\n  {difference}").expect("a text takes all");
    }
    for answer in answers {
        let body = String::from_utf8_lossy(&answer.body);
        write!(text, "\n  came: {} {body}", answer.status).expect("a text takes all");
    }
}
