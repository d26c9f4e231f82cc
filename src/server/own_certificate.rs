//! The server's own certificate: a new one is shown to the next connection, without a restart.
//!
//! Certificate and key are two files, and nobody replaces both in one step: they are read once they have been at rest
//! for a second. What cannot be used leaves the pair in force as it is, and alarms.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::sync::watch;

use super::tls::TlsError;
use crate::{
    clock::{Clock, Timestamp},
    files::{FileStamp, stamp},
    node::tick::pause,
};

/// How often the files are looked at, and how long they must be at rest.
const LOOK: Duration = Duration::from_secs(1);

/// The pair in force, and the files from which it came.
pub struct OwnCertificate {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    clock: Clock,
    in_force: ArcSwap<CertifiedKey>,
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCertificate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.in_force.load_full())
    }
}

impl OwnCertificate {
    /// # Errors
    /// Certificate and key cannot be read or do not belong together, or the certificate is not valid at this moment.
    pub fn load(
        certificate: &Path,
        key: &Path,
        provider: Arc<CryptoProvider>,
        clock: &Clock,
    ) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let in_force = ArcSwap::from_pointee(read(&certificate, &key, &provider, clock)?);
        Ok(Self { certificate, key, provider, clock: clock.clone(), in_force })
    }

    /// Reads the files again. The pair in force stays where they cannot be used. Returns whether another one is.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn reload(&self) -> Result<bool, TlsError> {
        let pair = read(&self.certificate, &self.key, &self.provider, &self.clock)?;
        let is_another = pair.cert != self.in_force.load().cert;
        self.in_force.store(Arc::new(pair));
        Ok(is_another)
    }

    /// Until when the certificate in force is valid.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn valid_until(&self) -> Result<Timestamp, TlsError> {
        Ok(validity(&self.certificate, self.in_force.load().cert.first())?.1)
    }

    fn stamps(&self) -> [Option<FileStamp>; 2] {
        [stamp(&self.certificate), stamp(&self.key)]
    }
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider, clock: &Clock) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|_| TlsError::File(certificate.to_owned()))?;
    let (from, until) = validity(certificate, chain.first())?;
    let now = clock.now();
    if now < from || until < now {
        let [now, from, until] = [now, from, until].map(Timestamp::to_rfc3339);
        return Err(TlsError::Dates { file: certificate.to_owned(), now, from, until });
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| TlsError::File(key.to_owned()))?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

/// From when and until when.
fn validity(file: &Path, certificate: Option<&CertificateDer<'_>>) -> Result<(Timestamp, Timestamp), TlsError> {
    let unreadable = || TlsError::File(file.to_owned());
    let certificate = certificate.ok_or_else(unreadable)?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| unreadable())?;
    let moment = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    Ok((moment(parsed.validity().not_before.timestamp()), moment(parsed.validity().not_after.timestamp())))
}

/// Puts every new pair in force until the server stops, and tells until when it is valid; tells of one that cannot be
/// used, and tries it again every so often.
pub async fn follow(
    own: Arc<OwnCertificate>,
    again: Duration,
    told: impl Fn(Result<Timestamp, TlsError>),
    mut stopped: watch::Receiver<bool>,
) {
    // The files may have changed since the start read them.
    let (mut taken, mut seen) = (None, None);
    let mut failed: Option<Instant> = None;
    loop {
        let now = Some(own.stamps());
        let is_due = now != taken || failed.is_some_and(|at| at.elapsed() >= again);
        if now == seen && is_due {
            let outcome = reload(&own).await;
            failed = outcome.is_err().then(Instant::now);
            taken = now;
            told(outcome);
        }
        seen = now;
        if !pause(LOOK, &mut stopped).await {
            return;
        }
    }
}

async fn reload(own: &Arc<OwnCertificate>) -> Result<Timestamp, TlsError> {
    let reading = own.clone();
    let reloaded = tokio::task::spawn_blocking(move || reading.reload()).await;
    let outcome = reloaded.unwrap_or(Ok(false)).and_then(|is_another| Ok((is_another, own.valid_until()?)));
    match &outcome {
        Ok((true, until)) => tracing::info!(until = until.to_rfc3339(), "the server has a new certificate"),
        Ok((false, _)) => {}
        Err(error) => {
            tracing::error!(%error, "the server's new certificate cannot be used; the last one stays in force");
        }
    }
    outcome.map(|(_, until)| until)
}
