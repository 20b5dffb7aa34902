//! What a server sends, read as the client reads it: never a panic, and the same however it is cut into chunks.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    assert!(rehome::imap::fuzz::same_in_any_chunks(octets));
});
