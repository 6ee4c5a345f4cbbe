//! A kernel that forbids io_uring, as containers do: this test runs itself again in a process where `io_uring_setup` fails.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_ulong, c_ushort};
use std::process::Command;

use super::*;

const FORBIDDEN: &str = "PLATEN_TEST_IO_URING_FORBIDDEN";

#[test]
fn without_io_uring_the_same_fleet_is_polled_by_epoll() {
    if std::env::var_os(FORBIDDEN).is_some() {
        forbid_io_uring();
        assert_eq!(polls_a_fleet(DriverChoice::Monoio), "monoio with epoll");
        polls_a_fleet(DriverChoice::Auto);
        return;
    }
    let own = std::env::current_exe().expect("this test has a file");
    let name = "driver::tests::forbid::without_io_uring_the_same_fleet_is_polled_by_epoll";
    let output = Command::new(own)
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env(FORBIDDEN, "1")
        .output()
        .expect("it runs again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[repr(C)]
struct SockFilter {
    code: c_ushort,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

#[repr(C)]
struct SockFprog {
    len: c_ushort,
    filter: *const SockFilter,
}

unsafe extern "C" {
    fn prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int;
}

/// From here on `io_uring_setup` fails with EPERM on this thread and those it starts.
fn forbid_io_uring() {
    const LOAD_SYSCALL_NUMBER: c_ushort = 0x20;
    const JUMP_IF_EQUAL: c_ushort = 0x15;
    const RETURN: c_ushort = 0x06;
    /// The same on every architecture.
    const IO_URING_SETUP: u32 = 425;
    const ERRNO_EPERM: u32 = 0x0005_0001;
    const ALLOW: u32 = 0x7fff_0000;
    const PR_SET_NO_NEW_PRIVS: c_int = 38;
    const PR_SET_SECCOMP: c_int = 22;
    const MODE_FILTER: c_ulong = 2;
    let step = |code, jump_true, jump_false, k| SockFilter {
        code,
        jump_true,
        jump_false,
        k,
    };
    let filter = [
        step(LOAD_SYSCALL_NUMBER, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP),
        step(RETURN, 0, 0, ERRNO_EPERM),
        step(RETURN, 0, 0, ALLOW),
    ];
    let program = SockFprog {
        len: filter.len() as c_ushort,
        filter: filter.as_ptr(),
    };
    // SAFETY: the call takes numbers only.
    let result = unsafe { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    let address = &raw const program as c_ulong;
    // SAFETY: `program` and the filter it points to live until after the call, and the kernel copies them.
    let result = unsafe { prctl(PR_SET_SECCOMP, MODE_FILTER, address, 0, 0) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}
