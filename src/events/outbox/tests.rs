//! Queues of loggers, without anybody who sends.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
const LONG: Duration = Duration::from_secs(1_000);

fn outbox() -> Outbox {
    let text = "Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=k";
    Outbox::new(Arc::new(EventHub::parse(text, Some("hub")).unwrap()))
}

fn take(outbox: &mut Outbox, text: &str, now: Timestamp) -> bool {
    outbox.take(Partition::Any, Arc::from(text), usize::MAX, now)
}

fn batch(outbox: &mut Outbox, now: Timestamp) -> Batch {
    let Next::Send(batch) = outbox.next(now, false) else { panic!("nothing is to be sent") };
    batch
}

fn texts(batch: &Batch) -> String {
    batch.texts.join(" ")
}

#[test]
fn events_wait_for_others_but_not_for_long() {
    let mut outbox = outbox();
    assert!(take(&mut outbox, "a", NOW));
    assert!(!take(&mut outbox, "b", NOW + LINGER / 2));
    assert!(matches!(outbox.next(NOW, false), Next::Wait(LINGER)));
    let sent = batch(&mut outbox, NOW + LINGER);
    assert_eq!(texts(&sent), "a b");
    assert!(matches!(outbox.next(NOW + LONG, false), Next::Nothing));
    assert_eq!(outbox.queued(), 2);
    assert_eq!(outbox.sent(&sent), None);
    assert_eq!((outbox.queued(), outbox.bytes(), outbox.counts().sent), (0, 0, 2));
}

#[test]
fn a_gateway_on_its_way_down_waits_for_nothing() {
    let mut outbox = outbox();
    take(&mut outbox, "a", NOW);
    let Next::Send(sent) = outbox.next(NOW, true) else { panic!() };
    assert_eq!(outbox.failed(sent, NOW, |_| Duration::ZERO), Some(false));
    assert!(matches!(outbox.next(NOW, true), Next::Wait(PAUSE_HURRIED)));
    assert!(matches!(outbox.next(NOW + PAUSE_HURRIED, true), Next::Send(_)));
}

#[test]
fn events_of_one_partition_travel_together_and_every_partition_has_its_turn() {
    let mut outbox = outbox();
    let key = |key: &str| Partition::Key(Arc::from(key));
    for (partition, text) in
        [(key("k"), "a"), (Partition::Any, "b"), (key("k"), "c"), (Partition::Number(3), "d")]
    {
        outbox.take(partition, Arc::from(text), usize::MAX, NOW);
    }
    let sent: Vec<_> = (0..3).map(|_| texts(&batch(&mut outbox, NOW + LINGER))).collect();
    assert_eq!(sent, ["a c", "b", "d"]);
}

#[test]
fn a_batch_is_bounded_in_events_and_in_bytes() {
    let mut many = outbox();
    for number in 1..=BATCH_EVENTS_MAX + 1 {
        // Somebody is to look when a batch is full.
        let is_news = take(&mut many, "x", NOW);
        assert_eq!(is_news, number == 1 || number == BATCH_EVENTS_MAX);
    }
    assert_eq!(batch(&mut many, NOW).texts.len(), BATCH_EVENTS_MAX);
    let mut large = outbox();
    let text = "\u{1}".repeat(30 << 10);
    for _ in 0..3 {
        take(&mut large, &text, NOW);
    }
    // Alone it may be larger than several are together: it is sent as it is.
    assert_eq!(batch(&mut large, NOW + LINGER).texts.len(), 1);
}

#[test]
fn what_there_is_no_room_for_is_dropped_and_counted() {
    let mut small = outbox();
    for _ in 0..=EVENTS_MAX {
        take(&mut small, "x", NOW);
    }
    assert_eq!((small.queued(), small.counts().dropped), (EVENTS_MAX, [1, 0, 0]));
    let mut large = outbox();
    let text = "x".repeat(1 << 20);
    for _ in 0..20 {
        take(&mut large, &text, NOW);
    }
    assert!(large.bytes() <= BYTES_MAX);
    assert_eq!(large.counts().dropped[FULL] + large.queued(), 20);
    // The room of all loggers together may be less.
    let mut other = outbox();
    assert!(!other.take(Partition::Any, Arc::from("xx"), 65, NOW));
    assert_eq!(other.counts().dropped[FULL], 1);
}

#[test]
fn after_a_failure_one_batch_tries_and_pauses_grow() {
    let mut outbox = outbox();
    for text in ["a", "b"] {
        outbox.take(Partition::Key(Arc::from(text)), Arc::from(text), usize::MAX, NOW);
    }
    let mut now = NOW + LINGER;
    let first = batch(&mut outbox, now);
    let second = batch(&mut outbox, now);
    assert_eq!(outbox.failed(first, now, |most| most), Some(false));
    assert_eq!(outbox.failed(second, now, |most| most), None);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let Next::Wait(pause) = outbox.next(now, false) else { panic!() };
        pauses.push(pause.as_secs());
        now = now + pause;
        let again = batch(&mut outbox, now);
        assert!(matches!(outbox.next(now, false), Next::Nothing), "one at a time");
        outbox.failed(again, now, |most| most);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 30, 30]);
    // Another configuration may have mended it.
    let other = "Endpoint=sb://other/;SharedAccessKeyName=n;SharedAccessKey=k";
    outbox.leads_to(&Arc::new(EventHub::parse(other, Some("hub")).unwrap()));
    let again = batch(&mut outbox, now);
    assert_eq!(again.hub.base.host, "other");
    assert_eq!(outbox.sent(&again), Some(true));
    assert_eq!(texts(&batch(&mut outbox, now)).len(), 1);
}

#[test]
fn an_event_is_not_tried_for_ever() {
    let mut outbox = outbox();
    take(&mut outbox, "a", NOW);
    let mut now = NOW;
    for _ in 0..TRIES_MAX {
        now = now + LONG;
        let tried = batch(&mut outbox, now);
        outbox.failed(tried, now, |_| Duration::ZERO);
    }
    assert_eq!((outbox.queued(), outbox.bytes(), outbox.counts().dropped), (0, 0, [0, 0, 1]));
}

#[test]
fn an_event_that_is_refused_takes_no_others_along() {
    let mut outbox = outbox();
    for text in ["a", "b", "bad", "c", "d"] {
        take(&mut outbox, text, NOW);
    }
    let now = NOW + LINGER;
    let mut sent = Vec::new();
    while let Next::Send(batch) = outbox.next(now, false) {
        if texts(&batch).contains("bad") {
            outbox.refused(batch);
        } else {
            sent.push(texts(&batch));
            outbox.sent(&batch);
        }
    }
    sent.sort();
    assert_eq!(sent.join(" "), "a b c d");
    assert_eq!((outbox.queued(), outbox.bytes(), outbox.counts().dropped), (0, 0, [0, 1, 0]));
}

proptest! {
    /// Whatever happens in whatever order, every event is sent, dropped or queued, and no bound is
    /// broken.
    #[test]
    fn no_event_is_lost_or_counted_twice(
        steps in prop::collection::vec((0_u8..8, 0_usize..5, 0_u64..40_000), 1..400)
    ) {
        let mut outbox = outbox();
        let mut away: Vec<Batch> = Vec::new();
        let mut now = NOW;
        for (what, which, size) in steps {
            now = now + Duration::from_millis(size);
            match what {
                0..=3 => {
                    let text = "\"".repeat(usize::try_from(size).unwrap());
                    let partition =
                        if which == 0 { Partition::Any } else { Partition::Key(Arc::from(which.to_string())) };
                    outbox.take(partition, Arc::from(text), BYTES_MAX, now);
                }
                4 | 5 => {
                    if let Next::Send(batch) = outbox.next(now, which == 0) {
                        prop_assert!(!batch.texts.is_empty());
                        let body = batch.written().1.len();
                        prop_assert!(batch.texts.len() == 1 || body <= BATCH_BYTES_MAX);
                        away.push(batch);
                    }
                }
                _ if away.is_empty() => (),
                _ => {
                    let batch = away.remove(which % away.len());
                    match what {
                        6 if which < 3 => drop(outbox.sent(&batch)),
                        6 => drop(outbox.refused(batch)),
                        _ => drop(outbox.failed(batch, now, |most| most)),
                    }
                }
            }
            let Counts { emitted, sent, dropped } = outbox.counts();
            prop_assert_eq!(emitted, sent + dropped.iter().sum::<u64>() + outbox.queued());
            prop_assert!(outbox.bytes() <= BYTES_MAX && away.len() <= SENDS_MAX);
            prop_assert!(0 < outbox.queued() || outbox.bytes() == 0);
        }
    }
}
