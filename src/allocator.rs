//! How the C library's allocator keeps memory, set once before anything is allocated that counts.
//!
//! Left alone, glibc gives each of up to eight arenas a core what is freed there, and counts DuckDB's blocks of 256 kB as small ones once a
//! few were freed: memory that nobody uses any more lies between what is used, and a herd of agents took a quarter more than without that.
//! Other C libraries have no such call, and are left as they are.

/// Memory of so many bytes and more comes from the system one by one, and goes back at once when it is freed. DuckDB's blocks have twice as
/// much; what reports are read into is smaller, or used again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_MIN: i32 = 128 << 10;

/// So many pieces at most come from the system one by one, 4 GB of the store's blocks: a process may have some 65,000, and those of a larger
/// store come from the arenas.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_MAX: i32 = 16_384;

/// Arenas: one for the applier and one for all the others are enough, for the most waits for disk and network, and each keeps what was
/// freed in it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS_MAX: i32 = 2;

/// Says to the allocator how to keep memory. To be called first of all, while there is one thread. What the environment says
/// (`MALLOC_ARENA_MAX` and so on) goes first.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the standard library has no safe call for it")]
pub fn set_up() {
    use std::ffi::c_int;

    /// From glibc's `malloc.h`.
    const M_MMAP_THRESHOLD: c_int = -3;
    /// From glibc's `malloc.h`.
    const M_MMAP_MAX: c_int = -4;
    /// From glibc's `malloc.h`.
    const M_ARENA_MAX: c_int = -8;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    for (variable, parameter, value) in [
        ("MALLOC_ARENA_MAX", M_ARENA_MAX, ARENAS_MAX),
        ("MALLOC_MMAP_THRESHOLD_", M_MMAP_THRESHOLD, MAPPED_BYTES_MIN),
        ("MALLOC_MMAP_MAX_", M_MMAP_MAX, MAPPED_MAX),
    ] {
        if std::env::var_os(variable).is_none() {
            // SAFETY: glibc's own function of that signature (`target_env = "gnu"`); it takes two numbers, locks what it changes, and
            // refuses what it does not know. A refusal leaves the allocator as it is.
            unsafe { mallopt(parameter, value) };
        }
    }
}

/// There is nothing to say.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub const fn set_up() {}
