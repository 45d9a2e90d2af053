//! Templates in Liquid: whatever the text, it is read or refused, and the fault points into it; what
//! was read ends, within its bounds, in a text or a reason, the same each time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::expression::value::moment::DateTime;
use weir::policy::liquid::{OUTPUT_BYTES_MAX, Template};

const BODY: &str = r#"{"name":"Ada","list":[1,2.5,{"n":null,"deep":[["a"]]},"x"],"when":"2024-01-31T10:20:30Z","no":-7}"#;
const NOW_MICROS: u64 = 1_700_000_000_000_000;

fuzz_target!(|text: &str| {
    match Template::parse(text, false) {
        Ok(template) => {
            let fill = || template.fill(BODY, DateTime::from_unix_micros(NOW_MICROS));
            let first = fill();
            assert!(first.as_ref().map_or(0, String::len) <= OUTPUT_BYTES_MAX, "too long");
            assert_eq!(first, fill(), "the same body, another text");
        }
        Err(wrong) => {
            let place = wrong.offset..wrong.offset + wrong.length;
            assert!(text.get(place).is_some(), "a fault outside of the text: {wrong:?}");
        }
    }
});
