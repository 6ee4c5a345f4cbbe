//! Many datagrams per system call: `recvmmsg` and `sendmmsg` (Linux), each datagram with the printer's own address in its `IP_PKTINFO`.
//!
//! What always holds: the kernel gets pointers only into memory that the same call borrows, with the lengths that this memory has; headers
//! are written anew before each call and never read after the memory could have moved.

#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// Datagrams per system call: more save little, and the first one waits for the last.
pub(super) const BATCH: usize = 64;
/// Longest datagram that is read: a full Ethernet frame's worth.
const DATAGRAM_BYTES_MAX: usize = 1500;
/// Room for one control message with an `in_pktinfo`: `CMSG_SPACE(12)` is 32 on 64-bit Linux, less elsewhere.
const CONTROL_BYTES: usize = 64;

/// Control messages start with a header of words.
#[repr(align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

/// What arrived with one call.
pub(super) struct Inbox {
    bytes: Box<[[u8; DATAGRAM_BYTES_MAX]; BATCH]>,
    controls: Box<[Control; BATCH]>,
    names: [libc::sockaddr_in; BATCH],
    lengths: [usize; BATCH],
    asked: [Option<Ipv4Addr>; BATCH],
    count: usize,
}

/// A datagram that arrived.
pub(super) struct Arrived<'a> {
    /// To which of our addresses.
    pub(super) asked: Ipv4Addr,
    /// From where.
    pub(super) asker: SocketAddrV4,
    /// Its bytes.
    pub(super) bytes: &'a [u8],
}

impl Inbox {
    pub(super) fn new() -> Self {
        // SAFETY: all zeros is a `sockaddr_in` (integers and an array of bytes).
        let name: libc::sockaddr_in = unsafe { zeroed() };
        Self {
            bytes: vec![[0; DATAGRAM_BYTES_MAX]; BATCH]
                .try_into()
                .unwrap_or_else(|_| unreachable!("it has that length")),
            controls: Box::new([Control([0; CONTROL_BYTES]); BATCH]),
            names: [name; BATCH],
            lengths: [0; BATCH],
            asked: [None; BATCH],
            count: 0,
        }
    }

    /// Receives up to [`BATCH`] datagrams; waits for the first one as long as the socket's timeout says, unless `now`.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, now: bool) -> io::Result<usize> {
        self.count = 0;
        // SAFETY: all zeros is an `iovec` and an `mmsghdr` (null pointers and integers).
        let (mut slices, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for at in 0..BATCH {
            slices[at].iov_base = self.bytes[at].as_mut_ptr().cast();
            slices[at].iov_len = DATAGRAM_BYTES_MAX;
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut self.names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut slices[at];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[at].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES as _;
        }
        let flags = if now {
            libc::MSG_DONTWAIT
        } else {
            libc::MSG_WAITFORONE
        };
        // SAFETY: each header points into `self` and `slices`, which outlive the call, with their true lengths.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                flags as _,
                std::ptr::null_mut(),
            )
        };
        self.count = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (at, header) in headers.iter().enumerate().take(self.count) {
            self.lengths[at] = (header.msg_len as usize).min(DATAGRAM_BYTES_MAX);
            self.asked[at] = asked(&header.msg_hdr);
        }
        Ok(self.count)
    }

    /// What arrived, without datagrams of which the address is not known.
    pub(super) fn arrived(&self) -> impl Iterator<Item = Arrived<'_>> {
        (0..self.count).filter_map(|at| {
            let name = &self.names[at];
            let address = Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes());
            Some(Arrived {
                asked: self.asked[at]?,
                asker: SocketAddrV4::new(address, u16::from_be(name.sin_port)),
                bytes: &self.bytes[at][..self.lengths[at]],
            })
        })
    }
}

/// The address that a datagram was sent to, from its control message.
fn asked(header: &libc::msghdr) -> Option<Ipv4Addr> {
    // SAFETY: the kernel filled the header's control buffer, and `msg_controllen` with how much of it; the macros stay within that.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    if control.cmsg_level != libc::IPPROTO_IP || control.cmsg_type != libc::IP_PKTINFO {
        return None;
    }
    // SAFETY: a control message of this level and type carries an `in_pktinfo`; it may be unaligned.
    let info = unsafe {
        libc::CMSG_DATA(control)
            .cast::<libc::in_pktinfo>()
            .read_unaligned()
    };
    Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()))
}

/// Datagrams that wait to be sent with one call.
pub(super) struct Outbox {
    bytes: Vec<u8>,
    letters: Vec<Letter>,
}

struct Letter {
    end: usize,
    from: Ipv4Addr,
    to: SocketAddrV4,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(BATCH * DATAGRAM_BYTES_MAX),
            letters: Vec::with_capacity(BATCH),
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.letters.len() >= BATCH
    }

    /// Adds a datagram that is to leave from `from`. There must be room.
    pub(super) fn push(&mut self, from: Ipv4Addr, to: SocketAddrV4, datagram: &[u8]) {
        assert!(!self.is_full(), "an outbox is flushed when it is full");
        self.bytes.extend_from_slice(datagram);
        self.letters.push(Letter {
            end: self.bytes.len(),
            from,
            to,
        });
    }

    /// Sends all; returns how many were sent, and how many the kernel did not take.
    pub(super) fn flush(&mut self, socket: BorrowedFd<'_>) -> (u64, u64) {
        let count = self.letters.len();
        if count == 0 {
            return (0, 0);
        }
        let mut controls = [Control([0; CONTROL_BYTES]); BATCH];
        // SAFETY: all zeros is each of these (integers, null pointers, arrays of bytes).
        let (mut names, mut slices, mut headers): (
            [libc::sockaddr_in; BATCH],
            [libc::iovec; BATCH],
            [libc::mmsghdr; BATCH],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut from = 0;
        for (at, letter) in self.letters.iter().enumerate() {
            names[at].sin_family = libc::AF_INET as libc::sa_family_t;
            names[at].sin_port = letter.to.port().to_be();
            names[at].sin_addr.s_addr = u32::from_ne_bytes(letter.to.ip().octets());
            let datagram = &mut self.bytes[from..letter.end];
            from = letter.end;
            slices[at].iov_base = datagram.as_mut_ptr().cast();
            slices[at].iov_len = datagram.len();
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut slices[at];
            header.msg_iovlen = 1;
            header.msg_control = controls[at].0.as_mut_ptr().cast();
            // SAFETY: arithmetic on a length.
            header.msg_controllen =
                unsafe { libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) } as _;
            write_source(header, letter.from);
        }
        let (mut sent, mut lost) = (0, 0);
        while sent + lost < count {
            let rest = &mut headers[sent + lost..count];
            // SAFETY: each header points into `self` and the arrays above, which outlive the call, with their true lengths.
            let taken = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            // What the kernel does not take is lost, as in a network: a full buffer of the asker, or an asker that is gone.
            match usize::try_from(taken) {
                Ok(taken) if taken > 0 => sent += taken,
                _ => lost += 1,
            }
        }
        self.bytes.clear();
        self.letters.clear();
        (sent as u64, lost as u64)
    }
}

/// Writes the control message that lets a datagram leave from `from`.
fn write_source(header: &libc::msghdr, from: Ipv4Addr) {
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from_ne_bytes(from.octets()),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    // SAFETY: the header's control buffer has `CMSG_SPACE` of an `in_pktinfo` and is aligned for a `cmsghdr`; nothing else refers to it.
    unsafe {
        let control = libc::CMSG_FIRSTHDR(header);
        assert!(!control.is_null(), "there is room for one control message");
        (*control).cmsg_level = libc::IPPROTO_IP;
        (*control).cmsg_type = libc::IP_PKTINFO;
        (*control).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as _;
        libc::CMSG_DATA(control)
            .cast::<libc::in_pktinfo>()
            .write_unaligned(info);
    }
}
