//! What an expression of a policy costs in Weir, beside the crates `cel` and `rhai` on equivalent
//! ones, interleaved in one run; and that a constant allocates nothing.
//!
//! Each round times every form in every engine once, one after the other, so that what else the
//! machine does meets all of them; the median of the rounds counts. What is compared is only the
//! evaluation: all three have compiled before, and hold their variables ready.

mod allocations;
mod forms;
mod request;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use weir::expression::{Expected, Expression, compile};

use self::allocations::allocated;
use self::forms::{FORMS, Form};
use self::request::Request;

#[global_allocator]
static COUNTING: allocations::Counting = allocations::Counting;

const ROUNDS: usize = 41;
/// Evaluations in one round of one form and engine.
const TURNS: u32 = 2_000;
/// Expressions whose value is known at load.
const CONSTANTS: &[&str] =
    &["@(string.Empty)", "@(\"a\" + 1)", "@(60 * 60 * 24)", "@(new Regex(\"^a+$\"))", "@(true)"];

/// One form, compiled by all.
struct Compiled {
    weir: Expression,
    cel: Option<cel::Program>,
    rhai: Option<rhai::AST>,
}

fn main() -> ExitCode {
    let mut request = Request::new();
    let cel = request::cel();
    let engine = request::rhai_engine();
    let mut scope = request::rhai_scope();
    let compiled: Vec<Compiled> = FORMS.iter().map(|form| built(form, &engine)).collect();
    let mut times: Vec<[Vec<f64>; 3]> = FORMS.iter().map(|_| Default::default()).collect();
    for _ in 0..ROUNDS {
        for (form, times) in compiled.iter().zip(&mut times) {
            times[0].push(timed(|| _ = black_box(form.weir.evaluate(&mut request))));
            if let Some(program) = &form.cel {
                times[1].push(timed(|| _ = black_box(program.execute(&cel))));
            }
            if let Some(ast) = &form.rhai {
                times[2].push(timed(|| {
                    _ = black_box(engine.eval_ast_with_scope::<rhai::Dynamic>(&mut scope, ast));
                }));
            }
        }
    }
    let slower = shown(&mut times);
    let allocating = constants(&mut request);
    println!("\n{slower} of {} forms are slower than the faster of the two", FORMS.len());
    if slower > 0 || allocating > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All three say what the form means before any of them is timed.
fn built(form: &Form, engine: &rhai::Engine) -> Compiled {
    let weir = compile(form.weir, Expected::Any)
        .unwrap_or_else(|wrongs| panic!("{}: {}", form.weir, wrongs[0].message));
    weir.evaluate(&mut Request::new()).unwrap_or_else(|error| panic!("{}: {error}", form.weir));
    let cel = form.cel.map(|text| {
        let program = cel::Program::compile(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        program.execute(&request::cel()).unwrap_or_else(|why| panic!("{text}: {why}"));
        program
    });
    let rhai = form.rhai.map(|text| {
        let ast = engine.compile(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let value = engine.eval_ast_with_scope::<rhai::Dynamic>(&mut request::rhai_scope(), &ast);
        drop(value.unwrap_or_else(|why| panic!("{text}: {why}")));
        ast
    });
    Compiled { weir, cel, rhai }
}

/// Nanoseconds of one turn.
fn timed(mut turn: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..TURNS {
        turn();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS)
}

/// Prints the table; how many forms are slower than the faster of the two.
fn shown(times: &mut [[Vec<f64>; 3]]) -> usize {
    println!("{:<44} {:>8} {:>8} {:>8}   weir/best", "form (ns)", "weir", "cel", "rhai");
    let mut slower = 0;
    for (form, times) in FORMS.iter().zip(times) {
        let [weir, cel, rhai] = times.each_mut().map(|times| median(times));
        let best = [cel, rhai].into_iter().flatten().fold(f64::INFINITY, f64::min);
        let weir = weir.unwrap_or(f64::NAN);
        let ratio = weir / best;
        slower += usize::from(ratio > 1.0);
        let column = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.0}"));
        let mark = if ratio > 1.0 { "  slower" } else { "" };
        println!(
            "{:<44} {weir:>8.0} {:>8} {:>8}   {ratio:>6.2}{mark}",
            form.name,
            column(cel),
            column(rhai)
        );
    }
    slower
}

fn median(times: &mut [f64]) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// How many constants allocate when they are evaluated.
fn constants(request: &mut Request) -> usize {
    let mut allocating = 0;
    println!();
    for text in CONSTANTS {
        let compiled = compile(text, Expected::Any).expect("a constant");
        let before = allocated();
        for _ in 0..1_000 {
            _ = black_box(compiled.evaluate(request));
        }
        let count = allocated() - before;
        println!("{text:<44} {count} allocations in 1000 evaluations");
        allocating += usize::from(count > 0);
    }
    allocating
}
