use crate::harness::*;
use serde_json::json as j;

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let stage = Stage::new().await;
    let a = stage.party("city-a", CITY_A).await;
    let center = stage.party("center-a", CENTER_A).await;
    let far = stage.party("far", FAR_CENTER).await;
    let record = register(&a, &family(CITY_A)).await;
    println!("{:?}", inbox(&center).await);
    let v = view(&center, &record).await;
    println!("{}", v.text());
    let v = view(&far, &record).await;
    println!("{}", v.text());
    let s = search(&far, j!({"child_name":"たかはし"})).await;
    println!("{}", s.text());
    println!("{:?}", inbox(&a).await);
    println!("{:?}", disclosures(&a).await);
}
