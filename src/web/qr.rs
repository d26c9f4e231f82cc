//! A QR code as an image in the page: drawn here, so that a secret is in no address and no file.

use askama::{FastWritable, Values, filters::HtmlSafe};
use fast_qr::{
    QRBuilder,
    convert::{Builder, Shape, svg::SvgBuilder},
};

use crate::error::{Error, ServiceError};

/// An SVG element.
pub struct QrCode(String);

impl QrCode {
    /// # Errors
    /// The text is too long for a QR code.
    pub fn of(text: &str) -> Result<Self, Error> {
        let code = QRBuilder::new(text).build().map_err(|_| ServiceError::Overloaded)?;
        Ok(Self(SvgBuilder::default().shape(Shape::Square).to_str(&code)))
    }
}

impl FastWritable for QrCode {
    fn write_into(&self, out: &mut dyn std::fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(out.write_str(&self.0)?)
    }
}

impl std::fmt::Display for QrCode {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl HtmlSafe for QrCode {}
