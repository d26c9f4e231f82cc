//! The `tsunagi` program; see `tsunagi --help`.

fn main() -> std::process::ExitCode {
    tsunagi::cli::run()
}
