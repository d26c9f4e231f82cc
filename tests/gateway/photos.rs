//! Photos: in and out with no more than the picture. Where and with what it was taken does not leave, by either face.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use img_parts::{
    jpeg::{Jpeg, JpegSegment, markers},
    png::{Png, PngChunk},
};
use tsunagi::domain::photo;

use crate::{browser::Browser, harness::*};

/// Pictures of grey points, made by Pillow: one scan of 8 × 8, and several of 24 × 16.
const ONE_SCAN: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i\
    Z2hnPk1xeXBkeFxlZ2P/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABv/EABwQAAEDBQAAAAAAAAAAAAAAABESEzVB\
    YoHR8P/aAAgBAQAAPwA3GXKw3snqf//Z";
const MANY_SCANS: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7\
    gYKBTmCNl4x9lnN+gXz/wgALCAAQABgBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAABAUD/9oACAEBAAAAAZ7nyna//8QAGBAAAwEB\
    AAAAAAAAAAAAAAAAAAECAxP/2gAIAQEAAQUChEIhEIhGt8sv/8QAGBAAAgMAAAAAAAAAAAAAAAAAAAEgMUH/2gAIAQEABj8Ci3tI\
    /8QAGBAAAgMAAAAAAAAAAAAAAAAAABEgMZH/2gAIAQEAAT8hiqqltof/2gAIAQEAAAAQT//EABsQAAMAAgMAAAAAAAAAAAAAAAAh\
    MQERQVGR/9oACAEBAAE/EIIgiCIIgiMvZczMxvL60f/Z";

/// What tells where and by whom, as it stands in the photos of these tests.
const TOLD: [&str; 7] =
    ["KAKUU-CAMERA", "GPSLatitude", "架空町1番地", "架空 撮影者", "2026:11:30", "MPF", "ns.adobe.com"];
/// 35° 47′ 30″ north, as Exif has it.
const LATITUDE: [u32; 6] = [35, 1, 47, 1, 30, 1];

fn picture(of: &str) -> Bytes {
    BASE64_STANDARD.decode(of.replace(' ', "")).unwrap().into()
}

/// A photo as JPEG that says something of its own where its points are, and is whole.
pub fn jpeg(text: &str) -> Vec<u8> {
    let mut jpeg = Jpeg::from_bytes(picture(ONE_SCAN)).unwrap();
    let scan = jpeg.segments_mut().pop().unwrap();
    let points = [text.as_bytes(), &[markers::P, markers::EOI]].concat();
    jpeg.segments_mut().push(JpegSegment::new_with_entropy(markers::SOS, scan.contents().clone(), points.into()));
    jpeg.encoder().bytes().to_vec()
}

/// A photo as PNG with so many bytes of points.
pub fn png(bytes: usize) -> Vec<u8> {
    let signature = Bytes::from_static(b"\x89PNG\r\n\x1a\n");
    let mut png = Png::from_bytes(signature).unwrap();
    let header = Bytes::from_static(&[0, 0, 0, 8, 0, 0, 0, 8, 8, 0, 0, 0, 0]);
    for (kind, contents) in [(*b"IHDR", header), (*b"IDAT", vec![0; bytes].into()), (*b"IEND", Bytes::new())] {
        png.chunks_mut().push(PngChunk::new(kind, contents));
    }
    png.encoder().bytes().to_vec()
}

/// Exif with device, time, position and a turn by a quarter.
fn exif() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [tag.to_le_bytes().as_slice(), &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let (texts, gps) = (8 + 2 + 4 * 12 + 4, 8 + 2 + 4 * 12 + 4 + 32);
    tiff.extend_from_slice(&4_u16.to_le_bytes());
    tiff.extend(entry(0x010F, 2, 13, texts));
    tiff.extend(entry(0x0112, 3, 1, 6));
    tiff.extend(entry(0x0132, 2, 19, texts + 13));
    tiff.extend(entry(0x8825, 4, 1, gps));
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend_from_slice(b"KAKUU-CAMERA\x002026:11:30 08:41\0\0\0");
    tiff.extend_from_slice(&1_u16.to_le_bytes());
    tiff.extend(entry(2, 5, 3, gps + 2 + 12 + 4));
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend(latitude());
    tiff
}

fn latitude() -> Vec<u8> {
    LATITUDE.iter().flat_map(|part| part.to_le_bytes()).collect()
}

const XMP: &str = "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><exif:GPSLatitude>35,47.5N</exif:GPSLatitude></x:xmpmeta>";

/// A photo as a phone writes it: with Exif, XMP, Photoshop's, a remark, and another whole picture behind it.
fn from_a_phone(of: &str) -> Bytes {
    let mut jpeg = Jpeg::from_bytes(picture(of)).unwrap();
    let exif = [b"Exif\0\0".as_slice(), &exif()].concat();
    let beside: [(u8, Vec<u8>); 5] = [
        (markers::APP1, exif),
        (markers::APP1, XMP.into()),
        (markers::APP2, b"MPF\0II*\0".to_vec()),
        (markers::APP13, "Photoshop 3.0\08BIM架空 撮影者".into()),
        (markers::COM, "架空町1番地".into()),
    ];
    for (place, (marker, contents)) in beside.into_iter().enumerate() {
        jpeg.segments_mut().insert(1 + place, JpegSegment::new_with_contents(marker, contents.into()));
    }
    let first = jpeg.encoder().bytes();
    [first.clone(), first].concat().into()
}

/// The points of a picture: what follows the head of its first scan.
fn points(jpeg: &[u8]) -> &[u8] {
    let scan = jpeg.windows(2).position(|pair| pair == [markers::P, markers::SOS]).unwrap();
    &jpeg[scan..]
}

fn png_with_metadata() -> Vec<u8> {
    let mut png = Png::from_bytes(png(64).into()).unwrap();
    let texts: [([u8; 4], Vec<u8>); 4] = [
        (*b"eXIf", exif()),
        (*b"iTXt", format!("XML:com.adobe.xmp\0\0\0\0\0{XMP}").into()),
        (*b"tEXt", "Author\0架空 撮影者".into()),
        (*b"prVt", "架空町1番地".into()),
    ];
    for (kind, contents) in texts {
        png.chunks_mut().insert(1, PngChunk::new(kind, contents.into()));
    }
    [png.encoder().bytes().to_vec(), "架空町1番地".into()].concat()
}

/// Asserts that nothing in a file tells more than its picture.
fn assert_tells_nothing(file: &[u8]) {
    let holds = |sign: &[u8]| file.windows(sign.len()).any(|window| window == sign);
    let told: Vec<&str> = TOLD.into_iter().filter(|text| holds(text.as_bytes())).collect();
    assert!(told.is_empty() && !holds(&latitude()), "a photo tells where it was taken: {told:?}");
}

#[test]
fn of_a_photo_the_picture_alone_is_left_and_no_point_of_it_is_touched() {
    for of in [ONE_SCAN, MANY_SCANS] {
        let taken = from_a_phone(of);
        let bare = photo::bare("image/jpeg", taken.clone()).unwrap();
        assert_tells_nothing(&bare);
        assert_eq!(points(&bare), points(&picture(of)), "a point of the picture was touched");
        // It is shown the same way up.
        let turned = Jpeg::from_bytes(bare.clone()).unwrap();
        let exif = turned.segment_by_marker(markers::APP1).unwrap().contents().to_vec();
        assert_eq!(exif, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
        assert_eq!(photo::bare("image/jpeg", bare.clone()), Some(bare), "what is bare stays as it is");
        assert_eq!(photo::bare("image/jpeg", picture(of)), Some(picture(of)));
    }
    let bare = Png::from_bytes(photo::bare("image/png", png_with_metadata().into()).unwrap()).unwrap();
    let kinds: Vec<[u8; 4]> = bare.chunks().iter().map(PngChunk::kind).collect();
    assert_eq!(kinds, [*b"IHDR", *b"eXIf", *b"IDAT", *b"IEND"]);
    assert_eq!(bare.chunk_by_type(*b"IDAT"), Png::from_bytes(png(64).into()).unwrap().chunk_by_type(*b"IDAT"));
    assert_tells_nothing(&bare.encoder().bytes());
}

#[test]
fn a_photo_that_is_not_whole_is_taken_for_none_and_one_of_before_leaves_where_it_tells_nothing() {
    let whole = from_a_phone(MANY_SCANS);
    let scan = whole.windows(2).position(|pair| pair == [markers::P, markers::SOS]).unwrap();
    for length in 0..scan {
        assert_eq!(photo::bare("image/jpeg", whole.slice(..length)), None, "{length}");
    }
    for broken in [png(64)[..40].to_vec(), b"\x89PNG\r\n\x1a\nplanted".to_vec()] {
        assert_eq!(photo::bare("image/png", broken.clone().into()), None);
        assert!(photo::bare_as_kept("image/png", broken.into()).is_some());
    }
    assert_eq!(photo::bare_as_kept("image/jpeg", whole.slice(..scan)), None);
    // Whatever it is, it is no panic.
    for at in 0..whole.len() {
        for byte in [0x00, 0xD9, 0xFF] {
            let mut changed = whole.to_vec();
            changed[at] = byte;
            let _ = photo::bare_as_kept("image/jpeg", changed.into());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_kept_and_leaves_without_where_it_was_taken() {
    let stage = Stage::new().await;
    let (city, center) = (stage.party("city", CITY_A).await, stage.party("center", CENTER_A).await);
    let record = register(&city, &family(CITY_A)).await;
    let path = format!("/v1/records/{record}/attachments");
    let person = stage.world.seat_new(&city, "w1", &["caseworker"]).await.unwrap();
    let mut browser = Browser::signed_in(&person).await;
    for (media_type, file) in [("image/jpeg", from_a_phone(MANY_SCANS).to_vec()), ("image/png", png_with_metadata())] {
        let attached = city.client.post(&path).body(media_type, file.clone()).send().await.unwrap();
        assert_eq!(attached.status, 201, "{}", attached.text());
        let attaching = browser.get(&format!("/records/{record}/attachments/new")).await;
        let form = attaching.form(&format!("/records/{record}/attachments"));
        let by_page = browser.send_with_file(form, ("file", media_type), &file).await;
        assert_eq!(by_page.status, 200, "{}", by_page.html);
    }
    let listed = json(&view(&city, &record).await)["attachments"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 4);
    for line in &listed {
        let id = line["id"].as_str().unwrap();
        let seen = center.client.get(&format!("{path}/{id}")).purpose("casework").send().await.unwrap();
        assert_eq!(seen.status, 200, "{}", seen.text());
        assert_tells_nothing(&seen.body);
        let page = browser.get(&format!("/records/{record}/attachments/{id}")).await;
        assert_eq!((page.bytes(), page.header("cache-control")), (seen.body.as_ref(), Some("no-store")));
        assert_eq!(line["bytes"], seen.body.len(), "more is kept than the picture");
    }
    // One that is not whole is not taken: nobody can say what is in it.
    let broken = city.client.post(&path).body("image/png", b"\x89PNG\r\n\x1a\nplanted".to_vec()).send().await.unwrap();
    assert_eq!((broken.status.as_u16(), &json(&broken)["code"]), (422, &"field_refused".into()), "{}", broken.text());
}

/// The twins: what is kept with its place is noticed, and so is what leaves with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_with_its_place_is_noticed() {
    let test = "photos::a_photo_is_kept_and_leaves_without_where_it_was_taken";
    fails_with("keep-position", test, "more is kept than the picture").await;
    fails_with("keep-position,show-position", test, "a photo tells where it was taken").await;
}
