//! The parser and the checker of expressions: whatever the text, it compiles or is refused, and
//! every fault points into the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::expression::{Expected, compile};

fuzz_target!(|text: &str| {
    for expected in [Expected::Any, Expected::String, Expected::Bool] {
        let Err(wrongs) = compile(text, expected) else { continue };
        assert!(!wrongs.is_empty(), "refused without a fault");
        for wrong in wrongs {
            let place = wrong.offset..wrong.offset + wrong.length;
            assert!(text.get(place).is_some(), "a fault outside of the text: {wrong:?}");
        }
    }
});
