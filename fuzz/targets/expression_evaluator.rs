//! The evaluator: what compiles ends, within its bounds, in a value or an exception.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::expression::{Expected, compile};
use weir_fuzz::Request;

fuzz_target!(|text: &str| {
    // Most texts are no expression; in brackets more of them are.
    for text in [text.to_owned(), format!("@({text})"), format!("@{{{text}}}")] {
        if let Ok(expression) = compile(&text, Expected::String) {
            let first = expression.evaluate(&mut Request::default());
            let again = expression.evaluate(&mut Request::default());
            assert_eq!(first.is_ok(), again.is_ok(), "the same request, another outcome");
        }
    }
});
