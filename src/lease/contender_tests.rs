use super::{super::fake::Server, *};

const TIMING: Timing = Timing { term: secs(15), renew: secs(3), retry: secs(1), poll: secs(2), request: secs(4) };

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn at(seconds: u64) -> BootInstant {
    BootInstant::since_boot(secs(seconds))
}

fn held_by(holder: Option<&str>, version: &str) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.resource_version = Some(version.to_owned());
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = holder.map(str::to_owned);
    spec.lease_duration_seconds = Some(15);
    lease
}

fn contender() -> Contender {
    Contender::new("lease", "me", TIMING)
}

fn step(contender: &mut Contender, now: BootInstant) -> Step {
    contender.next(now, Timestamp::UNIX_EPOCH)
}

/// Drives one request at `sent`, answered at once, and gives what was sent.
fn exchange(contender: &mut Contender, server: &mut Server, sent: BootInstant) -> Request {
    let Step::Send(request) = step(contender, sent) else { panic!("nothing to send at {sent:?}") };
    match (&request, server.serve(&request)) {
        (Request::Read, Ok(lease)) => contender.read(lease, sent),
        (_, Ok(Some(lease))) => contender.wrote(lease, sent, sent),
        _ => contender.refused(sent),
    }
    request
}

fn leader(server: &mut Server, now: BootInstant) -> Contender {
    let mut contender = contender();
    exchange(&mut contender, server, now);
    exchange(&mut contender, server, now);
    assert_eq!(contender.deadline(), Some(now.after(TIMING.term)));
    contender
}

mod decisions {
    use super::*;

    fn sighting(lease: Option<Lease>, since: u64) -> Sighting {
        Sighting::of(lease, None, &TIMING, at(since))
    }

    #[test]
    fn what_was_never_held_is_taken_at_once() {
        assert_eq!(sighting(None, 100).decide(false, "me", at(100)), Decision::Acquire);
    }

    #[test]
    fn what_was_released_is_taken_at_once() {
        for nobody in [None, Some("")] {
            assert_eq!(sighting(Some(held_by(nobody, "1")), 100).decide(false, "me", at(100)), Decision::Acquire);
        }
    }

    #[test]
    fn anothers_is_taken_only_after_the_whole_term_unchanged() {
        let seen = sighting(Some(held_by(Some("other"), "1")), 100);
        assert_eq!(seen.decide(false, "me", at(100)), Decision::Wait(secs(15)));
        assert_eq!(seen.decide(false, "me", at(114)), Decision::Wait(secs(1)));
        assert_eq!(seen.decide(false, "me", at(115)), Decision::Acquire);
    }

    #[test]
    fn what_is_in_our_name_is_renewed_whether_or_not_we_knew_that_we_lead() {
        for leading in [true, false] {
            assert_eq!(sighting(Some(held_by(Some("me"), "1")), 0).decide(leading, "me", at(0)), Decision::Renew);
        }
    }

    #[test]
    fn a_leader_whose_lease_names_another_or_nobody_or_is_gone_has_lost_it() {
        for lease in [Some(held_by(Some("other"), "1")), Some(held_by(None, "1")), None] {
            assert_eq!(sighting(lease, 0).decide(true, "me", at(100)), Decision::Lost);
        }
    }

    #[test]
    fn any_change_starts_the_wait_anew() {
        let first = sighting(Some(held_by(Some("other"), "1")), 100);
        let same = Sighting::of(Some(held_by(Some("other"), "1")), Some(&first), &TIMING, at(110));
        assert_eq!(same.since, at(100));
        let renewed = Sighting::of(Some(held_by(Some("other"), "2")), Some(&first), &TIMING, at(110));
        assert_eq!(renewed.decide(false, "me", at(115)), Decision::Wait(secs(10)));
    }

    #[test]
    fn a_lease_deleted_under_its_holder_is_waited_out() {
        let held = sighting(Some(held_by(Some("other"), "1")), 100);
        let gone = Sighting::of(None, Some(&held), &TIMING, at(110));
        assert_eq!(gone.decide(false, "me", at(124)), Decision::Wait(secs(1)));
        let still = Sighting::of(None, Some(&gone), &TIMING, at(125));
        assert_eq!(still.decide(false, "me", at(125)), Decision::Acquire);
    }

    #[test]
    fn a_longer_term_of_the_holder_is_respected_within_reason_and_a_shorter_one_is_not() {
        for (said, respected) in [(Some(30), 30), (Some(1), 15), (Some(1_000_000), 60), (Some(-1), 15), (None, 15)] {
            let mut lease = held_by(Some("other"), "1");
            lease.spec.get_or_insert_default().lease_duration_seconds = said;
            assert_eq!(sighting(Some(lease), 0).patience, secs(respected));
        }
    }
}

#[test]
fn the_first_ever_reads_then_creates_then_leads() {
    let mut server = Server::default();
    let mut me = contender();
    assert_eq!(exchange(&mut me, &mut server, at(100)), Request::Read);
    let Request::Create(lease) = exchange(&mut me, &mut server, at(101)) else { panic!("must create") };
    assert_eq!(lease.metadata.name.as_deref(), Some("lease"));
    assert_eq!(me.deadline(), Some(at(116)), "reckoned from before the request");
    assert_eq!(step(&mut me, at(102)), Step::Wait(secs(2)));
}

#[test]
fn a_renewal_moves_the_deadline_and_changes_nothing_else() {
    let mut server = Server::default();
    let mut me = leader(&mut server, at(100));
    let mut marked = server.lease.clone().unwrap();
    marked.metadata.labels = Some([("theirs".to_owned(), "kept".to_owned())].into());
    me.read(Some(server.store(marked.clone())), at(101));
    let Request::Replace(lease) = exchange(&mut me, &mut server, at(103)) else { panic!("must replace") };
    assert_eq!(lease.metadata.labels, marked.metadata.labels);
    assert_eq!(lease.spec.as_ref().unwrap().lease_transitions, Some(0));
    assert_eq!(me.deadline(), Some(at(118)));
}

#[test]
fn taking_over_counts_a_transition() {
    let mut server = Server::default();
    server.usurp("other");
    let mut me = contender();
    exchange(&mut me, &mut server, at(100));
    assert_eq!(step(&mut me, at(100)), Step::Wait(secs(2)));
    me.read(server.lease.clone(), at(115));
    me.next = at(115);
    exchange(&mut me, &mut server, at(115));
    assert_eq!(server.holder().as_deref(), Some("me"));
    assert_eq!(server.lease.unwrap().spec.unwrap().lease_transitions, Some(0));
    assert_eq!(me.deadline(), Some(at(130)));
}

#[test]
fn a_standby_wakes_when_the_wait_is_over_and_looks_once_more_before_it_writes() {
    let mut server = Server::default();
    server.usurp("other");
    let mut me = contender();
    exchange(&mut me, &mut server, at(100));
    step(&mut me, at(100));
    me.read(server.lease.clone(), at(114));
    me.next = at(114);
    assert_eq!(step(&mut me, at(114)), Step::Wait(secs(1)));
    assert_eq!(step(&mut me, at(115)), Step::Send(Request::Read));
}

#[test]
fn who_has_not_seen_everything_looks_on_and_takes_nothing() {
    let mut server = Server::default();
    server.usurp("other");
    let mut me = contender();
    me.hold_back(true);
    exchange(&mut me, &mut server, at(100));
    assert_eq!(step(&mut me, at(100)), Step::Wait(secs(2)));
    me.read(server.lease.clone(), at(115));
    me.next = at(115);
    assert_eq!(step(&mut me, at(115)), Step::Wait(secs(2)), "its holder's time is over");
    me.hold_back(false);
    assert_eq!(exchange(&mut me, &mut server, at(115)), Request::Read, "at once, and the wait counts");
    assert!(matches!(exchange(&mut me, &mut server, at(115)), Request::Replace(_)));
    assert_eq!(me.deadline(), Some(at(130)));
}

#[test]
fn a_lost_answer_is_no_success_and_the_lease_is_read_before_the_next_write() {
    let mut server = Server::default();
    let mut me = leader(&mut server, at(100));
    let Step::Send(request) = step(&mut me, at(103)) else { panic!("must renew") };
    server.serve(&request).unwrap();
    me.failed(at(107));
    assert_eq!(me.deadline(), Some(at(115)));
    assert_eq!(step(&mut me, at(107)), Step::Wait(secs(1)));
    assert_eq!(exchange(&mut me, &mut server, at(108)), Request::Read);
    assert!(matches!(exchange(&mut me, &mut server, at(108)), Request::Replace(_)));
    assert_eq!(me.deadline(), Some(at(123)));
}

#[test]
fn a_lost_answer_to_the_first_claim_is_made_good_by_a_renewal() {
    let mut server = Server::default();
    let mut me = contender();
    exchange(&mut me, &mut server, at(100));
    let Step::Send(claim) = step(&mut me, at(100)) else { panic!("must claim") };
    server.serve(&claim).unwrap();
    me.failed(at(104));
    assert_eq!(me.deadline(), None);
    exchange(&mut me, &mut server, at(106));
    assert!(matches!(exchange(&mut me, &mut server, at(106)), Request::Replace(_)));
    assert_eq!(me.deadline(), Some(at(121)));
}

#[test]
fn a_conflict_makes_a_leader_look_at_once_and_end_if_another_has_it() {
    let mut server = Server::default();
    let mut me = leader(&mut server, at(100));
    server.usurp("other");
    assert!(matches!(exchange(&mut me, &mut server, at(103)), Request::Replace(_)));
    assert_eq!(exchange(&mut me, &mut server, at(103)), Request::Read);
    assert_eq!(step(&mut me, at(103)), Step::End(End::Lost { holder: Some("other".to_owned()) }));
}

#[test]
fn conflicts_without_end_do_not_make_a_busy_loop() {
    let mut server = Server::default();
    let mut me = leader(&mut server, at(100));
    me.refused(at(103));
    assert_eq!(step(&mut me, at(103)), Step::Send(Request::Read));
    me.read(server.lease.clone(), at(103));
    me.refused(at(103));
    assert_eq!(step(&mut me, at(103)), Step::Wait(secs(1)));
}

#[test]
fn past_the_deadline_it_is_over_even_where_the_server_still_has_our_name() {
    let mut server = Server::default();
    let mut me = leader(&mut server, at(100));
    assert_eq!(step(&mut me, at(115)), Step::End(End::Expired));
    let Step::Send(request) = step(&mut me, at(114)) else { panic!("must renew") };
    assert_eq!(me.patience(at(114)), secs(1), "an answer after the deadline is of no use");
    let answer = server.serve(&request).unwrap().unwrap();
    me.wrote(answer, at(114), at(116));
    assert_eq!(step(&mut me, at(116)), Step::End(End::Expired));
}

#[test]
fn a_claim_answered_after_its_own_deadline_does_not_lead_until_renewed() {
    let mut server = Server::default();
    let mut me = contender();
    exchange(&mut me, &mut server, at(100));
    let Step::Send(claim) = step(&mut me, at(100)) else { panic!("must claim") };
    let answer = server.serve(&claim).unwrap().unwrap();
    me.wrote(answer, at(100), at(120));
    assert_eq!(me.deadline(), None);
    exchange(&mut me, &mut server, at(120));
    assert_eq!(me.deadline(), Some(at(135)));
}

#[test]
fn resigning_empties_the_holder_and_is_done_when_that_is_seen() {
    let mut server = Server::default();
    let mut me = leader(&mut server, at(100));
    let request = me.resign().unwrap();
    assert_eq!(me.deadline(), None);
    let answer = server.serve(&request).unwrap().unwrap();
    me.wrote(answer, at(101), at(101));
    assert_eq!(me.resign(), None);
    assert_eq!(server.holder(), None);
    assert_eq!(me.deadline(), None);
}

#[test]
fn resigning_after_a_lost_answer_looks_first_and_leaves_anothers_lease_alone() {
    let mut server = Server::default();
    let mut me = leader(&mut server, at(100));
    me.failed(at(103));
    assert_eq!(me.resign(), Some(Request::Read));
    server.usurp("other");
    me.read(server.lease.clone(), at(104));
    assert_eq!(me.resign(), None);
}

/// Somebody puts an older backup of etcd back. Whoever stands by sees it as well as whoever leads: what either has seen is no more.
#[test]
fn a_lease_that_is_older_than_it_was_ends_leader_and_standby() {
    let older = || Some(held_by(Some("me"), "4"));
    let restored = Step::End(End::Restored { live: 4, known: 7 });
    let mut me = contender();
    me.read(Some(held_by(Some("me"), "6")), at(100));
    let Step::Send(Request::Replace(_)) = step(&mut me, at(100)) else { panic!("it is renewed") };
    me.wrote(held_by(Some("me"), "7"), at(100), at(100));
    let Step::Send(Request::Replace(_)) = step(&mut me, at(103)) else { panic!("it is renewed") };
    me.refused(at(103));
    assert_eq!(step(&mut me, at(103)), Step::Send(Request::Read));
    me.read(older(), at(103));
    assert_eq!(step(&mut me, at(103)), restored);

    let mut other = Contender::new("lease", "other", TIMING);
    other.read(Some(held_by(Some("me"), "7")), at(100));
    other.read(None, at(101));
    assert_ne!(step(&mut other, at(101)), restored, "one that is gone says nothing");
    other.read(older(), at(102));
    assert_eq!(step(&mut other, at(102)), restored);
}
