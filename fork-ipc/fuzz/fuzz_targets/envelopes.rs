#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fork_ipc_fuzz::envelopes(bytes));
