//! The meter: every token is read once, and at the end of an answer all of them have been.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use vtc_core::meter;

/// Two threads raise it while it is read: the readings add up to the highest, whatever came when.
#[test]
fn two_raise_while_one_reads() {
    loom::model(|| {
        let (meter, mut reader) = meter();
        let other = {
            let meter = meter.clone();
            thread::spawn(move || {
                meter.raise(3);
                meter.raise(5);
            })
        };
        let third = thread::spawn(move || meter.raise(4));
        let early = reader.advance() + reader.advance();
        assert!(early <= 5, "nothing is read that did not flow");
        other.join().unwrap();
        third.join().unwrap();
        assert_eq!(early + reader.advance(), 5);
        assert_eq!((reader.read(), reader.advance()), (5, 0));
    });
}

/// Whoever learns of the end by a message (here: a flag with release and acquire) has all that flowed before it.
#[test]
fn the_last_reading_against_the_end() {
    loom::model(|| {
        let (meter, mut reader) = meter();
        let ended = Arc::new(AtomicBool::new(false));
        let stream = {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                meter.raise(1);
                meter.raise(7);
                drop(meter);
                ended.store(true, Ordering::Release);
            })
        };
        let before = reader.advance();
        if ended.load(Ordering::Acquire) {
            assert_eq!(before + reader.advance(), 7);
        }
        stream.join().unwrap();
    });
}
