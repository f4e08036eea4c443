//! The first version: two threads and one number. Node twin: `threads.js`.
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

fn main() {
    let number = Arc::new(AtomicI32::new(0));
    println!("value before: {}", number.load(Ordering::Acquire));
    let main_thread = thread::current();
    let shared = Arc::clone(&number);
    thread::spawn(move || {
        shared.fetch_add(42, Ordering::Release);
        main_thread.unpark();
    });
    while number.load(Ordering::Acquire) == 0 {
        thread::park();
    }
    println!("value after: {}", number.load(Ordering::Acquire));
}
