//! A form with a file (`multipart/form-data`, RFC 7578).

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use multer::{Constraints, Multipart, parse_boundary};

use crate::{
    error::{Error, RequestError},
    face::call::Call,
    web::{
        csrf,
        form::{Form, KEY},
    },
};

/// A form, and the file that came with it.
pub struct Upload {
    pub form: Form,
    /// Media type as the browser states it, and the bytes; `None` where no file was chosen.
    pub file: Option<(String, Bytes)>,
    /// The call with what was sent as its body: a browser that sends the same again puts other boundaries between.
    pub call: Call,
}

impl Upload {
    /// Reads a form with one file in the field `file`.
    ///
    /// # Errors
    /// As [`Form::read`].
    pub async fn of(call: &Call, file: &'static str, fields: &[&'static str]) -> Result<Self, Error> {
        let content_type = call.header("content-type").unwrap_or_default();
        let boundary = parse_boundary(content_type).map_err(|_| RequestError::MediaType)?;
        let body = call.body.clone();
        let known: Vec<&str> = [file, csrf::FIELD, KEY].into_iter().chain(fields.iter().copied()).collect();
        let stream = stream::once(async move { Ok::<Bytes, std::convert::Infallible>(body) });
        let mut parts = Multipart::with_constraints(stream, boundary, Constraints::new().allowed_fields(known));
        let (mut texts, mut sent, mut plain) = (Vec::new(), None, BytesMut::new());
        while let Some(part) = parts.next_field().await.map_err(|_| RequestError::FormField)? {
            let name = part.name().unwrap_or_default().to_owned();
            let media_type = part.content_type().map(|kind| kind.essence_str().to_owned()).unwrap_or_default();
            let content = part.bytes().await.map_err(|_| RequestError::FormField)?;
            for piece in [name.as_bytes(), media_type.as_bytes(), &content] {
                plain.extend_from_slice(&(piece.len() as u64).to_be_bytes());
                plain.extend_from_slice(piece);
            }
            if name != file {
                let text = String::from_utf8(content.to_vec()).map_err(|_| RequestError::FormField)?;
                texts.push((name, text));
            } else if sent.is_none() {
                sent = Some((media_type, content));
            } else {
                return Err(RequestError::FormField.into());
            }
        }
        let form = Form::sent(call, texts.into_iter(), |name| fields.contains(&name))?;
        let call = Call { body: plain.freeze(), ..call.clone() };
        Ok(Self { form, file: sent.filter(|(_, content)| !content.is_empty()), call })
    }
}
