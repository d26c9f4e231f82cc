//! A gateway that is told to stop answers what is under way, and only then ends.

use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use tokio::net::TcpStream;

use super::revocation::{Connection, streamed};
use crate::{crash, harness::*};

/// What an upload comes to whose second half is sent once the gateway accepts nobody any more; `None` where it was cut.
async fn under_way_at_the_stop(defect: Option<&str>) -> Option<u16> {
    let directory = tempfile::tempdir().unwrap();
    let premises = crash::premises(directory.path()).await;
    let mut running = crash::serve(&premises, defect).await;
    let operator = crash::operator(&premises, &running);
    let city = crash::connect(&premises, &operator, "a", CITY_A).await;
    let record = register(&city, &family(CITY_A)).await;
    let connection = Connection::open(&premises, "a", ("tsunagi-officer", "o1".into())).await;
    let (parts, body) = streamed();
    let upload = connection.send(Method::POST, &format!("/v1/records/{record}/attachments"), "image/png", body);
    let mut rest = Bytes::from(crate::photos::png(8));
    parts.send(rest.split_to(8)).await.unwrap();
    assert_eq!(connection.get("/v1/session").await.unwrap().0, 200, "the upload is under way: this was sent after it");
    crash::is_told(running.pid()).await;
    while TcpStream::connect(running.address()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It does not end before the call: it is given the time to, and the one that cuts off all the time that it needs.
    let patience = Duration::from_secs(if defect.is_some() { 30 } else { 1 });
    let has_ended = tokio::time::timeout(patience, running.has_ended()).await.is_ok();
    // Where the gateway has ended, nobody takes it.
    let _ = parts.send(rest).await;
    drop(parts);
    let answered = upload.await.ok().map(|(status, _)| status);
    if !has_ended {
        running.has_ended().await;
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_under_way_is_answered_before_the_end() {
    assert_eq!(under_way_at_the_stop(None).await, Some(201));
}

/// The twin: a gateway that ends at once cuts it off, and is caught.
#[tokio::test(flavor = "multi_thread")]
async fn cutting_calls_off_is_caught() {
    assert_eq!(under_way_at_the_stop(Some("cut-open-calls")).await, None);
}
