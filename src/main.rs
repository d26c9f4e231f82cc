//! The `tsunagi` program; see `tsunagi --help`.

/// See `docs/decisions/0013-mimalloc.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tsunagi::cli::run()
}
