#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| node_channel_fuzz::lengths(bytes));
