//! Where cached responses and values live.
//!
//! A cache may forget anything at any time: whoever looks something up must cope with a miss.

pub mod memory;
