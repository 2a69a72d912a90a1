//! What the process asks of the system: to take memory back, since the server idles most of the day, and to allow files.

/// Requests from this size up are mapped on their own and returned when freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 256 * 1024;
/// Pools that threads share; by default glibc makes eight for each core and keeps what was ever used in them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const POOLS: libc::c_int = 8;

/// To be called once at the start of the program, before threads.
///
/// A password check takes 19 MiB. glibc raises its mapping threshold when such a block is freed, and from then on every
/// thread that ever checked one keeps its 19 MiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn stay_small() {
    #[allow(
        unsafe_code,
        reason = "the C library offers this setting only as a function"
    )]
    // SAFETY: mallopt only stores two numbers in the allocator and is called before other threads exist.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_ARENA_MAX, POOLS);
    }
}

/// Other C libraries return memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn stay_small() {}

/// Lets the program open as many files as the system allows it: each session is one, and each delivery a few more.
/// What the system grants at first, often 1024, is less than the sessions that are served at once.
pub fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}
