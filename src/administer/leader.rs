//! Whether an operator leads: told by whether its Lease moves.
//!
//! Whoever holds the Lease writes into it every few seconds. When it did so last stands there too, by its clock, and no clock is
//! compared with another's here: who leads is seen by looking for a lease's term.

use std::{fmt, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};

use super::AdministerError;
use crate::{clock::BootInstant, fence::REQUEST_TIMEOUT, lease, telemetry::result::describe};

/// How often the Lease is looked at: one that moves is found soon.
const PERIOD: Duration = Duration::from_secs(1);

/// The longest that a Lease's own word about its term is believed, as by those who want to lead.
const LONGEST_TERM: Duration = Duration::from_mins(1);

/// The Lease as it was seen at first, and since when it has been so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vigil {
    /// Identity and version: whoever writes the Lease makes another one.
    mark: Option<(Option<String>, Option<String>)>,
    holder: Option<String>,
    term: Duration,
    since: BootInstant,
}

/// What another look tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It was written, and names somebody.
    Leads(String),
    /// It was given up or deleted: somebody led until now, and the next one may come.
    GivenUp,
    /// It has not moved, for too short a time to say.
    Open,
    /// It has not moved for as long as a leader may be silent.
    Nobody,
}

impl Vigil {
    /// `now` is when the answer was there.
    fn begin(lease: Option<&Lease>, now: BootInstant) -> Self {
        let seconds = lease.and_then(|lease| lease.spec.as_ref()?.lease_duration_seconds).unwrap_or(0);
        let term = Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).clamp(lease::TERM, LONGEST_TERM);
        Self { mark: mark(lease), holder: lease.and_then(holder), term, since: now }
    }

    /// `asked` is when the look was sent: what it shows is at least as late.
    fn judge(&self, lease: Option<&Lease>, asked: BootInstant) -> Verdict {
        if mark(lease) != self.mark {
            return lease.and_then(holder).map_or(Verdict::GivenUp, Verdict::Leads);
        }
        match self.since.after(self.term).remaining(asked) {
            Duration::ZERO => Verdict::Nobody,
            _ => Verdict::Open,
        }
    }

    /// Fails where the Lease has moved since.
    ///
    /// # Errors
    /// Where it has, or that cannot be known.
    pub async fn still(&self, client: &Client) -> Result<(), AdministerError> {
        let lease = read(client).await?;
        match self.judge(lease.as_ref(), BootInstant::now()) {
            Verdict::Leads(holder) => Err(AdministerError::OperatorLeads { holder: Some(holder) }),
            Verdict::GivenUp => Err(AdministerError::OperatorLeads { holder: None }),
            Verdict::Open | Verdict::Nobody => Ok(()),
        }
    }
}

impl fmt::Display for Vigil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder =
            self.holder.as_deref().map_or_else(|| "held by nobody".into(), |holder| format!("last held by {holder}"));
        write!(
            f,
            "Waiting {} s to see that no operator leads: one that does writes Lease {}/{} ({holder}) meanwhile",
            self.term.as_secs(),
            lease::NAMESPACE,
            lease::NAME
        )
    }
}

/// Looks for a lease's term whether an operator leads, and says to `tell` what is waited for. What it returns tells later whether
/// that has changed.
///
/// # Errors
/// Where one leads, or that cannot be known.
pub async fn nobody_leads(client: &Client, mut tell: impl FnMut(&Vigil)) -> Result<Vigil, AdministerError> {
    let mut vigil = Vigil::begin(read(client).await?.as_ref(), BootInstant::now());
    tell(&vigil);
    loop {
        tokio::time::sleep(PERIOD).await;
        let asked = BootInstant::now();
        let lease = read(client).await?;
        match vigil.judge(lease.as_ref(), asked) {
            Verdict::Leads(holder) => return Err(AdministerError::OperatorLeads { holder: Some(holder) }),
            Verdict::Nobody => return Ok(vigil),
            Verdict::Open => {}
            Verdict::GivenUp => {
                vigil = Vigil::begin(lease.as_ref(), BootInstant::now());
                tell(&vigil);
            }
        }
    }
}

async fn read(client: &Client) -> Result<Option<Lease>, AdministerError> {
    let api: Api<Lease> = Api::namespaced(client.clone(), lease::NAMESPACE);
    let why = match tokio::time::timeout(REQUEST_TIMEOUT, api.get_opt(lease::NAME)).await {
        Ok(Ok(lease)) => return Ok(lease),
        Ok(Err(error)) => describe(&error),
        Err(_) => format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()),
    };
    Err(AdministerError::LeaseUnknown { why })
}

fn mark(lease: Option<&Lease>) -> Option<(Option<String>, Option<String>)> {
    lease.map(|lease| (lease.metadata.uid.clone(), lease.metadata.resource_version.clone()))
}

/// Who holds it; an empty name is nobody.
fn holder(lease: &Lease) -> Option<String> {
    lease.spec.as_ref()?.holder_identity.clone().filter(|holder| !holder.is_empty())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::coordination::v1::LeaseSpec,
        apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    };

    use super::*;

    fn at(seconds: u64) -> BootInstant {
        BootInstant::since_boot(Duration::from_secs(1_000 + seconds))
    }

    fn lease(version: &str, holder: Option<&str>, seconds: Option<i32>, renewed: i64) -> Lease {
        let metadata =
            ObjectMeta { uid: Some("uid".into()), resource_version: Some(version.into()), ..ObjectMeta::default() };
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: seconds,
            renew_time: jiff::Timestamp::from_second(renewed).ok().map(MicroTime),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    #[test]
    fn a_lease_that_moves_is_a_leader_s_whatever_its_clock_says() {
        // By the caller's clock it ran out years ago.
        let vigil = Vigil::begin(Some(&lease("1", Some("pod_1"), Some(15), 0)), at(0));
        let moved = lease("2", Some("pod_1"), Some(15), 3);
        assert_eq!(vigil.judge(Some(&moved), at(1)), Verdict::Leads("pod_1".into()));
        assert_eq!(vigil.judge(Some(&moved), at(3_600)), Verdict::Leads("pod_1".into()));
    }

    #[test]
    fn nobody_leads_where_it_has_not_moved_for_a_term_whatever_its_clock_says() {
        // By the caller's clock it was renewed in the future.
        let still = lease("1", Some("pod_1"), Some(15), 4_000_000_000);
        let vigil = Vigil::begin(Some(&still), at(0));
        assert_eq!(vigil.judge(Some(&still), at(14)), Verdict::Open);
        assert_eq!(vigil.judge(Some(&still), at(15)), Verdict::Nobody);
        // A standby may take what nobody holds, or make what is missing, in the next moment.
        let vigil = Vigil::begin(None, at(0));
        assert_eq!(vigil.judge(None, at(14)), Verdict::Open);
        assert_eq!(vigil.judge(None, at(15)), Verdict::Nobody);
        assert_eq!(vigil.judge(Some(&lease("1", Some("pod_2"), Some(15), 0)), at(2)), Verdict::Leads("pod_2".into()));
    }

    #[test]
    fn one_that_was_given_up_is_watched_anew() {
        let vigil = Vigil::begin(Some(&lease("1", Some("pod_1"), Some(15), 0)), at(0));
        for given_up in [Some(lease("2", None, Some(15), 0)), Some(lease("2", Some(""), Some(15), 0)), None] {
            assert_eq!(vigil.judge(given_up.as_ref(), at(20)), Verdict::GivenUp, "{given_up:?}");
        }
    }

    #[test]
    fn a_term_is_never_shorter_than_the_operator_s_and_a_mistyped_one_locks_nobody_out() {
        let term = |seconds| Vigil::begin(Some(&lease("1", None, seconds, 0)), at(0)).term.as_secs();
        assert_eq!([None, Some(-1), Some(1), Some(30), Some(i32::MAX)].map(term), [15, 15, 15, 30, 60]);
    }

    #[test]
    fn it_is_said_what_is_waited_for() {
        let vigil = Vigil::begin(Some(&lease("1", Some("pod_1"), Some(15), 0)), at(0));
        assert_eq!(
            vigil.to_string(),
            "Waiting 15 s to see that no operator leads: one that does writes Lease kube-system/openclaw-tenant-operator (last held by \
             pod_1) meanwhile"
        );
    }
}
