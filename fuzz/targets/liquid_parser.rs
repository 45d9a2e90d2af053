//! Templates in Liquid: whatever the text, it is read or refused, and the fault points into it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::policy::liquid::Template;

fuzz_target!(|text: &str| {
    if let Err(wrong) = Template::parse(text, false) {
        let place = wrong.offset..wrong.offset + wrong.length;
        assert!(text.get(place).is_some(), "a fault outside of the text: {wrong:?}");
    }
});
