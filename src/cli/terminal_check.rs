//! `tsunagi pki check`: whether a gateway would let a certificate in, asked before its holder is turned away.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use rustls::{
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::danger::ClientCertVerifier,
};

use super::error::CommandError;
use crate::{
    clock::utc_now,
    identity::{
        certificate::TerminalCertificate,
        revocation_lists::is_pem,
        verifier::{TerminalVerifier, TrustError},
    },
    server::tls::provider,
};

#[derive(Args)]
pub struct Check {
    /// CA certificates that sign terminals (PEM).
    #[arg(long)]
    ca: PathBuf,
    /// Revocation lists of these CAs (PEM or DER).
    #[arg(long)]
    revocation_list: Option<PathBuf>,
    /// The terminal's certificate and then its intermediate ones (PEM or DER).
    #[arg(required = true)]
    certificates: Vec<PathBuf>,
}

impl Check {
    /// Prints the verdict; whether the terminal is registered, a gateway says.
    pub(super) fn run(&self) -> Result<(), CommandError> {
        let verifier = TerminalVerifier::load(&self.ca, self.revocation_list.as_deref(), provider())
            .map_err(|error| CommandError::Unexpected(format!("trust: {error}")))?;
        let mut chain = Vec::new();
        for file in &self.certificates {
            chain.extend(certificates(file).map_err(|error| CommandError::Unexpected(format!("file: {error}")))?);
        }
        let (end_entity, intermediates) =
            chain.split_first().ok_or_else(|| CommandError::Unexpected("file: no certificate".to_owned()))?;
        let refused = |part: &str, error: &dyn std::error::Error| {
            CommandError::Unexpected(format!("refused by the {part}: {error}"))
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(utc_now().unix_timestamp().unsigned_abs()));
        let profile = TerminalCertificate::from_der(end_entity);
        // The verifier asks for both and names the profile without the rule: the rule is named here.
        match (verifier.verify_client_cert(end_entity, intermediates, now), profile) {
            (Ok(_), Ok(terminal)) => {
                say!("accepted: organization {}, serial {}", terminal.organization.as_str(), terminal.serial);
                Ok(())
            }
            (
                Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure)),
                Err(fault),
            )
            | (Ok(_), Err(fault)) => Err(refused("profile", &fault)),
            (Err(error), _) => Err(refused("path", &error)),
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let bytes = fs::read(file).map_err(|error| TrustError::File(file.to_owned(), error))?;
    if !is_pem(&bytes) {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().map_err(|_| TrustError::Pem(file.to_owned()))
}
