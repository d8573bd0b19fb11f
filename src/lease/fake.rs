//! As much of an API server as one Lease needs: resource versions, and nothing lost.

use k8s_openapi::api::coordination::v1::Lease;

use super::contender::Request;

/// The write came too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict;

#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub(super) lease: Option<Lease>,
    version: u64,
    pub(super) reads: usize,
}

impl Server {
    pub(super) fn serve(&mut self, request: &Request) -> Result<Option<Lease>, Conflict> {
        match request {
            Request::Read => {
                self.reads += 1;
                Ok(self.lease.clone())
            }
            Request::Create(lease) if self.lease.is_none() => Ok(Some(self.store((**lease).clone()))),
            Request::Replace(lease) if self.current() == lease.metadata.resource_version => {
                Ok(Some(self.store((**lease).clone())))
            }
            Request::Create(_) | Request::Replace(_) => Err(Conflict),
        }
    }

    pub(super) fn store(&mut self, mut lease: Lease) -> Lease {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease.insert(lease).clone()
    }

    pub(super) fn holder(&self) -> Option<String> {
        self.lease.as_ref()?.spec.as_ref()?.holder_identity.clone()
    }

    /// Somebody writes a holder without asking.
    pub(super) fn usurp(&mut self, holder: &str) {
        let mut lease = self.lease.clone().unwrap_or_default();
        lease.spec.get_or_insert_default().holder_identity = Some(holder.to_owned());
        self.store(lease);
    }

    fn current(&self) -> Option<String> {
        self.lease.as_ref()?.metadata.resource_version.clone()
    }
}
