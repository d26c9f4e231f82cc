//! A public-key infrastructure for development, demonstration and tests: one CA, a server, terminals, a revocation
//! list. Production certificates come from the administration's own CA; nothing here is in the program that serves.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
    SanType, SerialNumber,
};
use time::Duration;
use tsunagi::{
    clock::{random_bytes, utc_now},
    domain::organization::OrganizationCode,
    identity::certificate::{ORGANIZATION_URI, serial_text},
};

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("no randomness")]
    Random,
    #[error("{0}: not a serial in hexadecimal")]
    Serial(String),
}

/// The CA in a directory: `ca.crt`, `ca.key`, `crl.pem`, and `NAME.crt`, `NAME.key` of what it issued.
pub struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Certificates are valid since so many days ago.
    since: i64,
}

/// How a terminal's certificate deviates from the profile, for tests of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    NoClientAuth,
    NoOrganization,
    TwoOrganizations,
    IsCa,
    Expired,
}

const CA_DAYS: i64 = 3_650;
const TERMINAL_DAYS: i64 = 397;
/// For how long a list is valid, where nobody asks for more.
pub const LIST_DAYS: i64 = 30;
/// Since when certificates are valid, where nobody asks for more.
pub const SINCE_DAYS: i64 = 2;

impl Authority {
    /// Makes a new CA with an empty revocation list.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create(directory: &Path) -> Result<Self, PkiError> {
        Self::create_since(directory, SINCE_DAYS)
    }

    /// The same; its certificates are valid since so many days ago.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_since(directory: &Path, since: i64) -> Result<Self, PkiError> {
        fs::create_dir_all(directory).map_err(|error| PkiError::File(directory.to_owned(), error))?;
        let key = KeyPair::generate()?;
        let mut params = params("Tsunagi development CA", since, CA_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        write(&directory.join("ca.crt"), &certificate.pem(), 0o644)?;
        write(&directory.join("ca.key"), &key.serialize_pem(), 0o600)?;
        let authority = Self { directory: directory.to_owned(), issuer: Issuer::new(params, key), since };
        authority.publish_list(&[], LIST_DAYS)?;
        Ok(authority)
    }

    /// Opens a CA made by [`Self::create`].
    ///
    /// # Errors
    /// Its files cannot be read.
    pub fn open(directory: &Path) -> Result<Self, PkiError> {
        Self::open_since(directory, SINCE_DAYS)
    }

    /// The same; certificates that it makes are valid since so many days ago.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_since(directory: &Path, since: i64) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(&read(&directory.join("ca.key"))?)?;
        let issuer = Issuer::from_ca_cert_pem(&read(&directory.join("ca.crt"))?, key)?;
        Ok(Self { directory: directory.to_owned(), issuer, since })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Issues the server's certificate for `localhost` and further names, as `server.crt` and `server.key`.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn issue_server(&self, names: &[&str]) -> Result<(), PkiError> {
        let mut params = params("Tsunagi gateway", self.since, TERMINAL_DAYS)?;
        for name in names {
            let name = match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into()?),
            };
            params.subject_alt_names.push(name);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params, "server").map(|_| ())
    }

    /// Issues a terminal's certificate as `NAME.crt` and `NAME.key`; answers its serial.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn issue_terminal(&self, name: &str, organization: &OrganizationCode, flaw: Flaw) -> Result<String, PkiError> {
        let days = if flaw == Flaw::Expired { -1 } else { TERMINAL_DAYS };
        let mut params = params(&format!("Tsunagi terminal {name}"), self.since, days)?;
        let uri = |code: &str| -> Result<SanType, PkiError> {
            Ok(SanType::URI(format!("{ORGANIZATION_URI}{code}").try_into()?))
        };
        if flaw != Flaw::NoOrganization {
            params.subject_alt_names.push(uri(organization.as_str())?);
        }
        if flaw == Flaw::TwoOrganizations {
            params.subject_alt_names.push(uri("ministry")?);
        }
        if flaw == Flaw::IsCa {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if flaw != Flaw::NoClientAuth {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
        self.issue(params, name)
    }

    fn issue(&self, mut params: CertificateParams, name: &str) -> Result<String, PkiError> {
        let mut serial = random_bytes::<16>().map_err(|_| PkiError::Random)?;
        // Positive and without leading zeros (RFC 5280 section 4.1.2.2).
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x7F | 0x40;
        }
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        write(&self.directory.join(format!("{name}.crt")), &certificate.pem(), 0o644)?;
        write(&self.directory.join(format!("{name}.key")), &key.serialize_pem(), 0o600)?;
        Ok(serial_text(&serial))
    }

    /// Publishes a revocation list with these serials, valid for so many days, as `crl.pem`.
    ///
    /// # Errors
    /// A serial is not one, or the file cannot be written.
    pub fn publish_list(&self, serials: &[String], valid_days: i64) -> Result<(), PkiError> {
        let now = utc_now();
        let revoked_certs = serials
            .iter()
            .map(|serial| {
                Ok(RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&decode(serial)?),
                    revocation_time: now,
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                })
            })
            .collect::<Result<_, PkiError>>()?;
        let list = CertificateRevocationListParams {
            this_update: now - Duration::days(1).max(Duration::days(1 - valid_days)),
            next_update: now + Duration::days(valid_days),
            // Nanoseconds: of two lists published one after the other the later one is newer.
            crl_number: SerialNumber::from(u64::try_from(now.unix_timestamp_nanos()).unwrap_or(0)),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)?;
        write(&self.directory.join("crl.pem"), &list.pem()?, 0o644)
    }
}

fn params(name: &str, since: i64, days: i64) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = utc_now();
    params.not_before = now - Duration::days(since);
    params.not_after = now + Duration::days(days);
    Ok(params)
}

fn decode(serial: &str) -> Result<Vec<u8>, PkiError> {
    let padded = if serial.len() % 2 == 1 { format!("0{serial}") } else { serial.to_owned() };
    HEXLOWER_PERMISSIVE.decode(padded.as_bytes()).map_err(|_| PkiError::Serial(serial.to_owned()))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    use io::Write;
    // Beside and renamed: a gateway that reads it meanwhile finds the old or the new one whole.
    let staged = path.with_extension("new");
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&staged)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&staged, path))
        .map_err(|error| PkiError::File(path.to_owned(), error))
}

fn read(path: &Path) -> Result<String, PkiError> {
    fs::read_to_string(path).map_err(|error| PkiError::File(path.to_owned(), error))
}
