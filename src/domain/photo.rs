//! Photos without what a camera writes beside the picture: where it was taken, by which device, when, a small picture
//! of its own, remarks. A photo of a shielded child tells by it where the family lives.
//!
//! What is kept is listed, and all else goes: so does a kind of metadata of which nobody has thought. The picture
//! itself, its compressed bytes, is not touched, and is shown the same way up and in the same colours.

use bytes::{BufMut, Bytes, BytesMut};
use img_parts::{
    ImageEXIF,
    jpeg::{Jpeg, JpegSegment, markers},
    png::{Png, PngChunk},
};

/// What a picture cannot be drawn without, or would be drawn otherwise: size, palette, colours, transparency, movement.
const PNG_KEPT: [&[u8; 4]; 18] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI",
    b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];

/// By what metadata is known in bytes that are no whole picture.
const SIGNS: [&[u8]; 8] =
    [b"Exif\0", b"eXIf", b"http://ns.adobe.com/", b"<x:xmpmeta", b"Photoshop 3.0", b"MPF\0", b"GPS", b"tEXt"];

const EXIF: &[u8] = b"Exif\0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
/// In a TIFF directory: how the picture is turned to be seen upright, 1 to 8.
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// The file without what its camera wrote; `None` for a photo that is not whole. What is no photo stays as it is.
pub fn bare(media_type: &str, file: Bytes) -> Option<Bytes> {
    match media_type {
        "image/jpeg" => bare_jpeg(file),
        "image/png" => bare_png(file),
        _ => Some(file),
    }
}

/// The same of a file that was attached before photos were bared: one that is not whole stays as it is where it holds no
/// metadata, and is `None` where it does.
pub fn bare_as_kept(media_type: &str, file: Bytes) -> Option<Bytes> {
    if let Some(bare) = bare(media_type, file.clone()) {
        return Some(bare);
    }
    let holds = |sign: &&[u8]| file.windows(sign.len()).any(|window| window == *sign);
    if SIGNS.iter().any(holds) { None } else { Some(file) }
}

fn bare_jpeg(file: Bytes) -> Option<Bytes> {
    let mut jpeg = Jpeg::from_bytes(file).ok()?;
    let turned = jpeg.exif().and_then(|exif| orientation(&exif)).filter(|turned| *turned != 1);
    let has_frame = jpeg.segments().iter().any(|segment| is_frame(segment.marker()));
    jpeg.segments_mut().retain(|segment| is_of_picture(segment.marker(), segment.contents()));
    let scan = jpeg.segments_mut().pop().filter(|last| has_frame && last.marker() == markers::SOS)?;
    let contents = scan.contents().clone();
    // What follows the head of the scan, whose marker and length are four bytes.
    let scans = scan.encoder().bytes().slice(4 + contents.len()..);
    jpeg.segments_mut().push(JpegSegment::new_with_entropy(markers::SOS, contents, bare_scans(scans)?));
    if let Some(turned) = turned {
        jpeg.set_exif(Some(upright(turned)));
    }
    Some(jpeg.encoder().bytes())
}

fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF)
}

/// Whether a segment is of the picture: its frame and tables, and of what applications write the kind of colours alone.
fn is_of_picture(marker: u8, contents: &[u8]) -> bool {
    match marker {
        markers::APP0 => contents.starts_with(b"JFIF\0") && contents.len() <= JFIF_WITHOUT_PICTURE,
        markers::APP2 => contents.starts_with(ICC),
        markers::APP14 => contents.starts_with(b"Adobe"),
        marker => is_frame(marker) || matches!(marker, 0xC4 | 0xCC | 0xDA..=0xDF),
    }
}

/// Length of the segment where no small picture of its own is in it.
const JFIF_WITHOUT_PICTURE: usize = 14;

/// What follows the head of the first scan, up to the end of the picture: its data, tables and further scans. Behind the
/// end phones put whole pictures and films of their own, each with its place.
fn bare_scans(mut rest: Bytes) -> Option<Bytes> {
    let mut kept = BytesMut::with_capacity(rest.len());
    loop {
        let sign = rest.iter().position(|byte| *byte == markers::P).unwrap_or(rest.len());
        kept.put(rest.split_to(sign));
        // A picture that breaks off is shown as far as it goes.
        let Some(marker) = rest.get(1).copied() else { return Some(kept.freeze()) };
        match marker {
            // A byte of the data, or a place at which decoding may begin anew.
            0x00 | 0xD0..=0xD7 => kept.put(rest.split_to(2)),
            markers::P => kept.put(rest.split_to(1)),
            markers::EOI => {
                kept.put(rest.split_to(2));
                return Some(kept.freeze());
            }
            _ => {
                let length = 2 + usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
                if length < 4 || rest.len() < length {
                    return None;
                }
                let segment = rest.split_to(length);
                if is_of_picture(marker, segment.get(4..)?) {
                    kept.put(segment);
                }
            }
        }
    }
}

fn bare_png(file: Bytes) -> Option<Bytes> {
    let mut png = Png::from_bytes(file).ok()?;
    let turned = png.exif().and_then(|exif| orientation(&exif)).filter(|turned| *turned != 1);
    png.chunks_mut().retain(|chunk| PNG_KEPT.contains(&&chunk.kind()));
    let is_first = |kind: &[u8; 4], chunk: Option<&PngChunk>| chunk.is_some_and(|chunk| chunk.kind() == *kind);
    let is_whole = is_first(b"IHDR", png.chunks().first()) && is_first(b"IEND", png.chunks().last());
    if !is_whole || png.chunk_by_type(*b"IDAT").is_none() {
        return None;
    }
    if let Some(turned) = turned {
        png.set_exif(Some(upright(turned)));
    }
    Some(png.encoder().bytes())
}

/// How a picture is turned, as its first TIFF directory says (Exif 2.32, 4.6.4).
fn orientation(exif: &Bytes) -> Option<u16> {
    let tiff = exif.strip_prefix(EXIF).unwrap_or(exif);
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = tiff.get(at..)?.first_chunk::<2>()?;
        Some(if is_little { u16::from_le_bytes(*bytes) } else { u16::from_be_bytes(*bytes) })
    };
    let long = |at: usize| {
        let bytes = tiff.get(at..)?.first_chunk::<4>()?;
        Some(if is_little { u32::from_le_bytes(*bytes) } else { u32::from_be_bytes(*bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    let entry = (0..entries).map(|place| directory + 2 + 12 * place).find(|at| short(*at) == Some(ORIENTATION))?;
    let turned = short(entry + 8).filter(|_| short(entry + 2) == Some(SHORT))?;
    (1..=8).contains(&turned).then_some(turned)
}

/// Exif that says how the picture is turned and nothing else.
fn upright(turned: u16) -> Bytes {
    let mut tiff = BytesMut::new();
    tiff.put_slice(b"MM\0*");
    tiff.put_u32(8);
    tiff.put_u16(1);
    for part in [ORIENTATION, SHORT, 0, 1, turned, 0, 0, 0] {
        tiff.put_u16(part);
    }
    tiff.freeze()
}
