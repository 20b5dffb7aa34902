//! The `rehome` binary: hands the arguments to [`rehome::cli`] and exits with its code.

fn main() -> std::process::ExitCode {
    rehome::cli::main()
}
