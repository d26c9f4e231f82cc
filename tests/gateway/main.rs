//! Black-box tests over real mutual TLS, one file for each operation.

mod harness;
mod smoke;
